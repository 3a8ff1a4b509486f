import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from spsetl.errors import SettingsError
from spsetl.hours import OfficeHours, QuietHours
from spsetl.settings import Settings, describe_settings, load_settings

SECRET = "hunter2-Пароль"

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
    values = {one.name: one.example for one in describe_settings()}
    write_toml("\n".join(f'{name} = "{value}"' for name, value in values.items()))

    from_file = load_settings(environ={})
    from_environment = load_settings(environ={f"SPSETL_{name.upper()}": value for name, value in values.items()})

    assert set(values) == set(Settings.model_fields)
    assert from_file == from_environment == load_settings(values, environ={})
    for name in values:
        assert from_file.origins[name] == f"{name} in spsetl.toml"
        assert from_environment.origins[name] == f"SPSETL_{name.upper()}"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("url", "https://h/", "https://h"),
        ("password", SECRET, SecretStr(SECRET)),
        ("client_cert", "c.pem", Path("c.pem")),
        ("verify_tls", "false", False),
        ("concurrency", "3", 3),
        ("lookback", "5.5", 5.5),
        ("strategy", "windows", "windows"),
        ("details", "events", ("events",)),
        ("quiet_hours", "21:55-22:30", QuietHours.parse("21:55-22:30")),
        ("office_hours", "Mon 08:00-18:00 UTC", OfficeHours((1,), 480, 600, "UTC")),
        ("question_memory", "2GB", "2GB"),
        ("merge_memory", "3GB", "3GB"),
        ("metrics_file", "m.prom", Path("m.prom")),
    ],
)
def test_a_text_becomes_a_value(name: str, text: str, value: object) -> None:
    """A variable holds nothing but text; the setting has its type."""
    assert getattr(load_settings(environ={f"SPSETL_{name.upper()}": text}), name) == value


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
