import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr, ValidationError

from spsetl.errors import SettingsError
from spsetl.settings import Settings, describe_settings, load_settings

SECRET = "hunter2-Пароль"
LOGIN = {"SPSETL_URL": "https://sps.example.com", "SPSETL_USERNAME": "auditor", "SPSETL_PASSWORD": SECRET}

WriteToml = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests gets into them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPSETL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_toml(tmp_path: Path) -> WriteToml:
    """Writes spsetl.toml into the current folder."""

    def write(text: str) -> Path:
        file = tmp_path / "spsetl.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def refusal(environ: dict[str, str], arguments: dict[str, object] | None = None) -> str:
    """The message of settings that are refused, at load or when an appliance is to be reached."""
    with pytest.raises(SettingsError) as refused:
        load_settings(arguments, environ=environ).for_appliance()
    message = str(refused.value)
    assert "\n" not in message
    assert SECRET not in message
    return message


# Where values come from


def test_defaults_are_those_of_the_documentation() -> None:
    """Without any setting, the documented defaults hold, and nothing is missing to read a copy."""
    settings = load_settings(environ={})

    assert settings.url is None
    assert settings.data_dir == Path("data")
    assert (settings.concurrency, settings.timeout, settings.lookback) == (8, 60, 72)
    assert (settings.verify_tls, settings.strategy) == (True, "auto")


def test_arguments_override_the_environment_and_that_the_file(write_toml: WriteToml) -> None:
    """Of several values the argument counts, then the environment, then spsetl.toml in the current folder."""
    write_toml("concurrency = 2\ntimeout = 2\nlookback = 2\n")

    settings = load_settings({"concurrency": 4}, environ={"SPSETL_CONCURRENCY": "3", "SPSETL_TIMEOUT": "3"})

    assert (settings.concurrency, settings.timeout, settings.lookback) == (4, 3, 2)


def test_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment of its own, load_settings reads the process's."""
    monkeypatch.setenv("SPSETL_CONCURRENCY", "5")

    assert load_settings().concurrency == 5


def test_settings_made_directly_read_nothing(write_toml: WriteToml, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings() alone has the defaults, whatever file and environment say."""
    write_toml("concurrency = 2")
    monkeypatch.setenv("SPSETL_CONCURRENCY", "3")

    assert Settings().concurrency == 8


def test_arguments_that_were_not_given_do_not_count() -> None:
    """A command line passes None for each option that was not used."""
    assert load_settings({"concurrency": None}, environ={"SPSETL_CONCURRENCY": "3"}).concurrency == 3


def test_empty_variables_do_not_count() -> None:
    """`SPSETL_CONCURRENCY=` in a container's environment is as good as absent."""
    assert load_settings(environ={"SPSETL_CONCURRENCY": "", "SPSETL_URL": ""}).concurrency == 8


def test_another_file_can_be_named(tmp_path: Path, write_toml: WriteToml) -> None:
    """A named file is read instead of spsetl.toml."""
    write_toml("concurrency = 2")
    other = tmp_path / "other.toml"
    other.write_text("concurrency = 3")

    assert load_settings(file=other, environ={}).concurrency == 3


def test_every_setting_can_be_set_in_each_place(write_toml: WriteToml) -> None:
    """The names of the TOML are those of the environment in lower case, without the prefix."""
    values = {"url": "https://sps.example.com", "username": "u", "password": "p", "password_file": "f"}
    values |= {"login_method": "local", "client_cert": "c", "ca_file": "a", "verify_tls": "false", "appliance": "x"}
    values |= {"data_dir": "d", "concurrency": "3", "timeout": "4", "lookback": "5", "strategy": "windows"}
    write_toml("\n".join(f'{name} = "{value}"' for name, value in values.items()))

    from_file = load_settings(environ={})
    from_environment = load_settings(environ={f"SPSETL_{name.upper()}": value for name, value in values.items()})

    assert set(values) == set(Settings.model_fields)
    assert from_file == from_environment == load_settings(values, environ={})
    assert from_file != Settings()


def test_settings_are_frozen() -> None:
    """A setting cannot change once it is loaded."""
    with pytest.raises(ValidationError):
        load_settings(environ={}).concurrency = 3


# What is refused


@pytest.mark.parametrize(
    ("environ", "arguments", "named", "nearest"),
    [
        ({"SPSETL_CONCURENCY": "3"}, None, "SPSETL_CONCURENCY", "SPSETL_CONCURRENCY"),
        ({"SPSETL_PASSWORT": SECRET}, None, "SPSETL_PASSWORT", "SPSETL_PASSWORD"),
        ({"SPSETL_Q": "1"}, None, "SPSETL_Q", "SPSETL_"),
        ({}, {"data-dir": "x"}, "data-dir", "data_dir"),
    ],
)
def test_unknown_setting_is_refused(
    environ: dict[str, str], arguments: dict[str, object] | None, named: str, nearest: str
) -> None:
    """An unknown name is told together with the nearest known one."""
    message = refusal(environ, arguments)

    assert named in message
    assert f"nearest is {nearest}" in message


def test_unknown_key_of_the_file_is_refused(write_toml: WriteToml) -> None:
    """A misspelt key names itself, the file and the nearest known key."""
    write_toml('user_name = "x"')

    assert refusal({}) == "user_name in spsetl.toml is no setting; the nearest is username"


def test_tables_of_appliances_are_refused(write_toml: WriteToml) -> None:
    """[appliances.NAME] is not understood, and not skipped in silence either."""
    write_toml('[appliances.north]\nurl = "https://sps.example.com"')

    assert "top level" in refusal({})


@pytest.mark.parametrize("content", [b"concurrency = ", b"\xff\xfe", b"concurrency = 3\nconcurrency = 4"])
def test_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no TOML is named as such."""
    (tmp_path / "spsetl.toml").write_bytes(content)

    assert "spsetl.toml cannot be read as TOML" in refusal({})


def test_named_file_must_exist(tmp_path: Path) -> None:
    """A file that was asked for and is not there is an error, unlike spsetl.toml."""
    with pytest.raises(SettingsError, match="is no file"):
        load_settings(file=tmp_path / "none.toml", environ={})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "65"),
        ("CONCURRENCY", "many"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "inf"),
        ("TIMEOUT", "nan"),
        ("LOOKBACK", "-0.5"),
        ("LOOKBACK", "inf"),
        ("VERIFY_TLS", "perhaps"),
        ("STRATEGY", "snapshots"),
        ("USERNAME", "domain:user"),
        ("APPLIANCE", "../other"),
        ("APPLIANCE", "a b"),
        ("APPLIANCE", "a\nb"),
        ("APPLIANCE", "x" * 129),
    ],
)
def test_value_out_of_range_is_refused(name: str, value: str) -> None:
    """The message names the variable, says what is wrong and shows a right value."""
    message = refusal({f"SPSETL_{name}": value})

    assert message.startswith(f"SPSETL_{name} ")
    assert "; for example " in message


def test_message_names_the_place_of_the_value(write_toml: WriteToml) -> None:
    """A wrong value is named with the place it came from, so that it can be found."""
    file = write_toml("concurrency = 0")

    assert refusal({}).startswith("concurrency in spsetl.toml ")
    assert refusal({"SPSETL_CONCURRENCY": "0"}).startswith("SPSETL_CONCURRENCY ")
    assert refusal({"SPSETL_CONCURRENCY": "0"}, {"concurrency": -1}).startswith("argument concurrency ")
    with pytest.raises(SettingsError, match=f"^concurrency in {file} "):
        load_settings(file=file, environ={})


@pytest.mark.parametrize("edge", [{"concurrency": 1}, {"concurrency": 64}, {"timeout": 0.001}, {"lookback": 0}])
def test_edges_of_the_ranges_are_allowed(edge: dict[str, object]) -> None:
    """1 and 64 requests at a time, any time-out above 0, and no look-back are all right."""
    settings = load_settings(edge, environ={})

    assert all(getattr(settings, name) == value for name, value in edge.items())
    assert timedelta(hours=settings.lookback) >= timedelta(0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://sps.example.com", "https://sps.example.com"),
        ("https://sps.example.com/", "https://sps.example.com"),
        ("https://sps.example.com:8443/", "https://sps.example.com:8443"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_good_url_is_kept_without_its_slash(given: str, kept: str) -> None:
    """Https to anywhere and http to this machine are fine."""
    assert load_settings(environ={"SPSETL_URL": given}).url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://sps.intern.test",
        "http://10.0.0.1",
        "http://localhost.intern.test",
        "ftp://sps.intern.test",
        "sps.intern.test",
        "https://",
        "https:///api",
        "https://sps.intern.test/api",
        "https://sps.intern.test?q=1",
        "https://sps.intern.test#x",
        "https://sps.intern.test:99999",
        "https://sps intern.test",
        "https://sps.intern.test\n",
        f"https://auditor:{SECRET}@sps.intern.test",
        f"https://auditor:{SECRET}/x@sps.intern.test",
        f"https://{SECRET}@sps.intern.test",
        "https://[::1",
    ],
)
def test_bad_url_is_refused_and_not_shown(url: str) -> None:
    """Another scheme, a path, a query or credentials are refused without being repeated."""
    message = refusal({"SPSETL_URL": url})

    assert message.startswith("SPSETL_URL ")
    assert "intern.test" not in message


# Secrets


def test_password_is_not_shown() -> None:
    """Neither the settings nor what is made of them shows the password."""
    settings = load_settings(environ=LOGIN)

    for shown in (repr(settings), str(settings), repr(settings.for_appliance())):
        assert SECRET not in shown
        assert "auditor" in shown


def test_wrong_kind_of_password_is_not_shown(write_toml: WriteToml) -> None:
    """A password that TOML takes for a number is refused without being repeated."""
    write_toml("password = 31415926")

    assert "31415926" not in refusal({})


# What a sync needs


def test_user_name_and_password_make_an_access() -> None:
    """With an address, a user name and a password an appliance can be reached; its name is the URL's host."""
    access = load_settings(environ=LOGIN).for_appliance()

    assert (access.url, access.appliance, access.username) == ("https://sps.example.com", "sps.example.com", "auditor")
    assert access.password == SecretStr(SECRET)


def test_appliance_can_be_named() -> None:
    """SPSETL_APPLIANCE stands for the URL's host."""
    assert load_settings(environ=LOGIN | {"SPSETL_APPLIANCE": "north"}).for_appliance().appliance == "north"


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "SPSETL_URL"),
        ({"SPSETL_URL": "https://h"}, "SPSETL_USERNAME and SPSETL_PASSWORD"),
        ({"SPSETL_URL": "https://h", "SPSETL_USERNAME": "u"}, "SPSETL_PASSWORD is not set"),
        ({"SPSETL_URL": "https://h", "SPSETL_PASSWORD": SECRET}, "SPSETL_USERNAME must be set"),
        ({"SPSETL_URL": "https://h", "SPSETL_PASSWORD_FILE": "x"}, "SPSETL_USERNAME must be set"),
        (LOGIN | {"SPSETL_PASSWORD_FILE": "x"}, "both set"),
        (LOGIN | {"SPSETL_CLIENT_CERT": "x"}, "SPSETL_CLIENT_CERT"),
        (LOGIN | {"SPSETL_CA_FILE": "x", "SPSETL_VERIFY_TLS": "false"}, "SPSETL_CA_FILE is of no use"),
    ],
)
def test_half_a_login_is_refused(environ: dict[str, str], missing: str) -> None:
    """What is missing or contradicts something else is named."""
    assert missing in refusal(environ)


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"p w\n", "p w"), (b"p w", "p w"), (b"p\r\n", "p"), (b"p\n\n", "p\n"), (b" p ", " p "), ("ż\n".encode(), "ż")],
)
def test_password_file_loses_its_last_newline_only(tmp_path: Path, content: bytes, password: str) -> None:
    """The newline that an editor adds does not belong to the password; everything else does."""
    file = tmp_path / "password"
    file.write_bytes(content)
    environ = {"SPSETL_URL": "https://h", "SPSETL_USERNAME": "u", "SPSETL_PASSWORD_FILE": str(file)}

    assert load_settings(environ=environ).for_appliance().password == SecretStr(password)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"\n", "empty"), (b"\xff", "UTF-8"), (None, "read")])
def test_unusable_password_file_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """An empty file, one that is no text, or none at all is named with its reason."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    message = refusal({"SPSETL_URL": "https://h", "SPSETL_USERNAME": "u", "SPSETL_PASSWORD_FILE": str(file)})

    assert message.startswith("SPSETL_PASSWORD_FILE: ")
    assert reason in message


def test_password_file_that_others_can_read_is_remarked(tmp_path: Path) -> None:
    """A password file for everybody is used, with a remark that says how to close it."""
    file = tmp_path / "password"
    file.write_text("p")
    file.chmod(0o640)
    settings = load_settings(environ={"SPSETL_PASSWORD_FILE": str(file)})

    assert settings.remarks == (f"{file} can be read by other users; run: chmod 600 {file}",)

    file.chmod(0o600)
    assert settings.remarks == ()


def test_unchecked_tls_is_remarked() -> None:
    """Switching the check of the certificate off is said aloud."""
    (remark,) = load_settings(environ={"SPSETL_VERIFY_TLS": "false"}).remarks

    assert "SPSETL_CA_FILE" in remark


def test_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a file is the home folder, though no shell expands it."""
    monkeypatch.setenv("HOME", "/home/x")

    assert load_settings({"data_dir": "~/copy"}, environ={}).data_dir == Path("/home/x/copy")


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """A CA of the tests."""
    return trustme.CA()


def test_certificate_stands_for_a_password(tmp_path: Path, ca: trustme.CA) -> None:
    """A client certificate with its key logs in without user name and password."""
    file = tmp_path / "client.pem"
    ca.issue_cert(common_name="auditor").private_key_and_cert_chain_pem.write_to_path(str(file))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environ = {"SPSETL_URL": "https://h", "SPSETL_CLIENT_CERT": str(file), "SPSETL_CA_FILE": str(tmp_path / "ca.pem")}

    access = load_settings(environ=environ).for_appliance()

    assert (access.client_cert, access.ca_file, access.password) == (file, tmp_path / "ca.pem", None)


def test_encrypted_key_is_refused_without_asking(tmp_path: Path, ca: trustme.CA) -> None:
    """A key with a passphrase is refused; nobody is asked for it on a terminal at night."""
    certificate = ca.issue_cert(common_name="auditor")
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.encode()),
    )
    file = tmp_path / "client.pem"
    file.write_bytes(encrypted + certificate.cert_chain_pems[0].bytes())

    assert "unencrypted key" in refusal({"SPSETL_URL": "https://h", "SPSETL_CLIENT_CERT": str(file)})


@pytest.mark.parametrize("setting", ["SPSETL_CA_FILE", "SPSETL_CLIENT_CERT"])
@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_unusable_certificate_is_refused(tmp_path: Path, setting: str, content: str | None) -> None:
    """A file that is missing or holds no certificate is named before the first request."""
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    login = LOGIN if setting == "SPSETL_CA_FILE" else {"SPSETL_URL": "https://h"}

    assert refusal(login | {setting: str(file)}).startswith(f"{setting}: {file} ")


# What is documented


def test_description_is_that_of_the_model() -> None:
    """The list for help and README has exactly the settings of the model, each with a meaning and its default."""
    described = {setting.name: setting for setting in describe_settings()}

    assert list(described) == list(Settings.model_fields)
    assert all(setting.meaning for setting in described.values())
    assert [setting.variable for setting in described.values()] == [f"SPSETL_{name.upper()}" for name in described]
    for name, setting in described.items():
        if setting.default and name != "appliance":
            assert getattr(load_settings({name: setting.default}, environ={}), name) == getattr(Settings(), name)
        else:
            assert getattr(Settings(), name) is None
