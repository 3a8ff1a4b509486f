"""Where a password comes from: the nearest place that says so, else systemd's credential; and who else can read it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.errors
import pytest
from pydantic import SecretStr

from spsetl.errors import SettingsError
from spsetl.settings import load_appliances, load_draft, load_settings
from spsetl.settings.password import find_in_keyring, write_keyring
from tests.keyrings import Ring

SECRET = "hunter2-Пароль"
LOGIN = {"SPSETL_URL": "https://sps.example.com", "SPSETL_USERNAME": "auditor"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests gets into them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPSETL_") or name == "CREDENTIALS_DIRECTORY"]:
        monkeypatch.delenv(name)


@pytest.fixture
def ring() -> Iterator[Ring]:
    """The keyring of this machine, as far as the test goes."""
    before = keyring.get_keyring()
    ring = Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def password_of(environ: dict[str, str]) -> str | None:
    """What a login would send."""
    password = load_settings(environ=environ).for_appliance().password
    return password.get_secret_value() if password else None


def refusal(environ: dict[str, str]) -> str:
    """The message of settings that have no password."""
    with pytest.raises(SettingsError) as refused:
        load_settings(environ=environ).for_appliance()
    message = str(refused.value)
    assert message.isprintable()
    assert SECRET not in message
    return message


# The keyring


def test_password_comes_out_of_the_keyring(ring: Ring) -> None:
    """The setting names the service, the user name the entry; it is read only when an appliance is to be reached."""
    settings = load_settings(environ=LOGIN | {"SPSETL_KEYRING": "sps"})
    ring.kept["sps", "auditor"] = SECRET

    assert settings.for_appliance().password == SecretStr(SECRET)
    assert SECRET not in repr(settings) + repr(settings.for_appliance())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (None, "has no password of auditor for the service sps; run: keyring set sps auditor"),
        (keyring.errors.KeyringLocked(SECRET), "the keyring is locked; unlock it, or unset it and put the password"),
        (keyring.errors.InitError(SECRET), "the keyring fails (InitError); unset it and put the password into a file"),
        (ValueError(SECRET), "the keyring fails (ValueError); unset it and put the password into a file"),
    ],
)
def test_keyring_that_gives_no_password_is_explained(ring: Ring, error: Exception | None, says: str) -> None:
    """One line says why, and what to do; never in the words of the keyring, which may repeat a secret."""
    ring.error = error
    message = refusal(LOGIN | {"SPSETL_KEYRING": "sps"})

    assert message.startswith("SPSETL_KEYRING: ")
    assert says in message


@pytest.mark.usefixtures("ring")
def test_machine_without_a_keyring_is_explained() -> None:
    """A server without a desktop has none."""
    keyring.set_keyring(keyring.backends.fail.Keyring())

    assert "no keyring that can be used; unset it and put" in refusal(LOGIN | {"SPSETL_KEYRING": "sps"})


def test_missing_extra_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the message says what to install; settings without a keyring do not need it."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert refusal(LOGIN | {"SPSETL_KEYRING": "sps"}) == (
        "SPSETL_KEYRING needs one more package: pip install 'spsetl[keyring]'"
    )
    assert password_of(LOGIN | {"SPSETL_PASSWORD": SECRET}) == SECRET


def test_what_is_kept_in_the_keyring_is_found_again(ring: Ring) -> None:
    """Writing replaces what is there; what is not there is None."""
    assert find_in_keyring("s", "u", "x") is None
    write_keyring("s", "u", SecretStr("old"), "x")
    write_keyring("s", "u", SecretStr(SECRET), "x")

    assert find_in_keyring("s", "u", "x") == SecretStr(SECRET)
    ring.error = keyring.errors.KeyringLocked(SECRET)
    with pytest.raises(SettingsError, match="locked"):
        write_keyring("s", "u", SecretStr(SECRET), "x")


# One place instead of another


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SPSETL_PASSWORD": SECRET, "SPSETL_KEYRING": "k"}, "SPSETL_PASSWORD and SPSETL_KEYRING are both set"),
        ({"SPSETL_PASSWORD_FILE": "f", "SPSETL_KEYRING": "k"}, "SPSETL_PASSWORD_FILE and SPSETL_KEYRING are both set"),
    ],
)
def test_two_ways_at_one_place_contradict(environ: dict[str, str], named: str) -> None:
    """Which of the two is meant nobody can tell."""
    assert named in refusal(LOGIN | environ)


def test_nearer_way_replaces_a_farther_one(tmp_path: Path, ring: Ring) -> None:
    """Argument before environment before file before credential, whatever the ways are."""
    ring.kept["near", "auditor"] = "of the keyring"
    (tmp_path / "file").write_text("of the file")
    (tmp_path / "spsetl_password").write_text("of the credential")
    (tmp_path / "spsetl.toml").write_text('password_file = "file"')
    environ = LOGIN | {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert password_of(environ) == "of the file"
    assert password_of(environ | {"SPSETL_PASSWORD": "of the environment"}) == "of the environment"
    near = load_settings({"keyring": "near"}, environ=environ | {"SPSETL_PASSWORD": "x"})
    assert near.for_appliance().password == SecretStr("of the keyring")
    (tmp_path / "spsetl.toml").unlink()
    assert password_of(environ) == "of the credential"


# systemd's credentials


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A folder as systemd makes it: an access list shows as the group's permission."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, text in {"spsetl_password": "for all\n", "spsetl_password_north": "of north\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o440)
    return folder


def test_credential_of_the_appliance_comes_before_that_for_all(tmp_path: Path, credentials: Path) -> None:
    """Each appliance has its own credential, or that of all; the origins say which, and nobody is warned of it."""
    url = 'url = "https://h"'
    (tmp_path / "spsetl.toml").write_text(f'username = "u"\n[appliances.north]\n{url}\n[appliances.south]\n{url}')
    settings = load_appliances(environ={"CREDENTIALS_DIRECTORY": str(credentials)})

    assert [one.origins["password"] for one in settings] == [
        "systemd credential spsetl_password_north",
        "systemd credential spsetl_password",
    ]
    assert [one.for_appliance().password for one in settings] == [SecretStr("of north"), SecretStr("for all")]
    assert [one.remarks for one in settings] == [(), ()]


def test_credential_by_the_host_of_the_url(credentials: Path) -> None:
    """An appliance that was given no name has its host's."""
    (credentials / "spsetl_password_sps.example.com").write_text("of the host")

    assert password_of(LOGIN | {"CREDENTIALS_DIRECTORY": str(credentials)}) == "of the host"


def test_credential_that_says_nothing_is_explained(credentials: Path) -> None:
    """An empty one is an error that names it; a folder without one is as none."""
    (credentials / "spsetl_password").chmod(0o600)
    (credentials / "spsetl_password").write_text("")
    environ = LOGIN | {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert refusal(environ).startswith("systemd credential spsetl_password: ")

    (credentials / "spsetl_password").unlink()
    assert "SPSETL_PASSWORD is not set" in refusal(environ)
    assert load_settings(environ=environ).origins["password"] == "default"


def test_credential_leaves_a_client_certificate_alone(credentials: Path) -> None:
    """It is there for whoever needs a password; a login by certificate does not."""
    settings = load_settings(environ={"SPSETL_CLIENT_CERT": "c", "CREDENTIALS_DIRECTORY": str(credentials)})

    assert settings.origins["password"] == "default"


# Who else can read it


def test_password_file_among_the_credentials_draws_no_warning(credentials: Path) -> None:
    """`SPSETL_PASSWORD_FILE=%d/spsetl_password` is as good as none; the same file elsewhere is remarked."""
    file = credentials / "spsetl_password"
    environ = {"SPSETL_PASSWORD_FILE": str(file)}

    assert load_settings(environ=environ | {"CREDENTIALS_DIRECTORY": str(credentials)}).remarks == ()
    assert len(load_settings(environ=environ).remarks) == 1


@pytest.mark.parametrize(("mode", "is_remarked"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
@pytest.mark.parametrize("content", ['password = "{}"', '[appliances.a]\npassword = "{}"'])
def test_settings_file_with_a_password_is_remarked(tmp_path: Path, mode: int, is_remarked: bool, content: str) -> None:
    """A spsetl.toml that holds a password and can be read by others draws a warning that says how to close it."""
    file = tmp_path / "spsetl.toml"
    file.write_text(content.format(SECRET))
    file.chmod(mode)

    ((*remarks,),) = [one.remarks for one in load_appliances(environ={})]
    assert len(remarks) == is_remarked
    assert SECRET not in "".join(remarks)
    assert not is_remarked or "run: chmod 600 spsetl.toml" in remarks[0]
    assert load_appliances({"password_file": tmp_path / "none"}, environ={})[0].remarks == ()


# A file in the making


def test_draft_is_what_the_file_would_be(tmp_path: Path) -> None:
    """A draft reads no variable; a password given beside it stands for whatever the draft says of one."""
    values = {"url": "https://h/", "username": "u", "password_file": "/nowhere"}
    draft = load_draft(values, Path("spsetl.toml"), environ=LOGIN)
    with_password = load_draft(values, Path("spsetl.toml"), password=SecretStr(SECRET), environ={})

    assert (draft.url, draft.username) == ("https://h", "u")
    assert draft.origins["url"] == "url in spsetl.toml"
    assert with_password.for_appliance().password == SecretStr(SECRET)
    assert with_password.remarks == ()
    with pytest.raises(SettingsError, match=r"^url in spsetl.toml must be a scheme and a host; for example https://"):
        load_draft({"url": "h"}, Path("spsetl.toml"), environ={})
