import os
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from spsetl.errors import SettingsError
from spsetl.settings import Settings, describe_settings, load_settings

SECRET = "hunter2-Пароль"
LOGIN = {"SPSETL_URL": "https://sps.example.com", "SPSETL_USERNAME": "auditor", "SPSETL_PASSWORD": SECRET}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests gets into them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPSETL_")]:
        monkeypatch.delenv(name)


def refusal(environ: dict[str, str]) -> str:
    """The message of settings that are refused when an appliance is to be reached."""
    with pytest.raises(SettingsError) as refused:
        load_settings(environ=environ).for_appliance()
    message = str(refused.value)
    assert "\n" not in message
    assert SECRET not in message
    return message


# Secrets


def test_password_is_not_shown() -> None:
    """Neither the settings nor what is made of them shows the password."""
    settings = load_settings(environ=LOGIN)

    for shown in (repr(settings), str(settings), repr(settings.for_appliance())):
        assert SECRET not in shown
        assert "auditor" in shown


def test_wrong_kind_of_password_is_not_shown(tmp_path: Path) -> None:
    """A password that TOML takes for a number is refused without being repeated."""
    (tmp_path / "spsetl.toml").write_text("password = 31415926")

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
