import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclopts import App
from pydantic import SecretStr

from spsetl.cli import app
from spsetl.cli.options import SyncOptions
from spsetl.errors import SettingsError
from spsetl.settings import SettingDescription, Settings, describe_settings, load_appliances, load_settings

SECRET = "hunter2-Пароль"
TWO = f"""
username = "auditor"
timeout = 30
concurrency = 2
[appliances.south]
url = "https://south.example.com"
concurrency = 3
[appliances.north]
url = "https://north.example.com"
username = "reader"
password = "{SECRET}"
"""

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


def refusal(environ: dict[str, str] | None = None, arguments: dict[str, object] | None = None) -> str:
    """The message of settings that are refused, at load or when the appliances are to be reached."""
    with pytest.raises(SettingsError) as refused:
        [settings.for_appliance() for settings in load_appliances(arguments, environ=environ or {})]
    message = str(refused.value)
    assert message.isprintable()
    assert SECRET not in message
    return message


# Sections


def test_each_section_is_an_appliance_in_the_order_of_the_file(write_toml: WriteToml) -> None:
    """A section has its own values, those of the top level for the rest, and its name for the appliance's."""
    write_toml(TWO)

    south, north = load_appliances(environ={})

    assert (south.appliance, south.url, south.username) == ("south", "https://south.example.com", "auditor")
    assert (south.concurrency, south.timeout, south.password) == (3, 30, None)
    assert (north.appliance, north.url, north.username) == ("north", "https://north.example.com", "reader")
    assert (north.concurrency, north.timeout, north.password) == (2, 30, SecretStr(SECRET))


def test_environment_overrides_sections_and_arguments_that(write_toml: WriteToml) -> None:
    """Of several values the argument counts, then the environment, then the section, then the top level."""
    write_toml("timeout = 1\nlookback = 1\nconcurrency = 1\n[appliances.a]\ntimeout = 2\nlookback = 2\nconcurrency = 2")

    (settings,) = load_appliances({"timeout": 4}, environ={"SPSETL_TIMEOUT": "3", "SPSETL_LOOKBACK": "3"})

    assert (settings.timeout, settings.lookback, settings.concurrency) == (4, 3, 2)


def test_a_section_may_hold_whatever_concerns_its_appliance(write_toml: WriteToml) -> None:
    """All settings but those of the copy and of the run, and the name, which is the section's."""
    of_all = {"data_dir", "office_hours", "question_seconds", "question_memory", "merge_memory"}
    of_all |= {"log_format", "log_level", "metrics_file"}
    examples = {one.name: one.example for one in describe_settings() if one.name not in of_all | {"appliance"}}
    names = set(examples)
    write_toml("[appliances.a]\n" + "\n".join(f'{name} = "{example}"' for name, example in examples.items()))

    (settings,) = load_appliances(environ={})

    assert settings == load_settings(examples | {"appliance": "a"}, environ={})
    assert {name for name, origin in settings.origins.items() if origin.startswith("[appliances.a] ")} == names | {
        "appliance"
    }


@pytest.mark.parametrize("content", ["", "concurrency = 3", "[appliances]"])
def test_without_sections_there_is_one_appliance(write_toml: WriteToml, content: str) -> None:
    """A file of one appliance gives what load_settings gives, whatever it is called."""
    write_toml(content)

    for arguments in ({}, {"url": "https://h"}, {"appliance": "x"}):
        assert load_appliances(arguments, environ={}) == (load_settings(arguments, environ={}),)


def test_another_file_can_be_named(tmp_path: Path, write_toml: WriteToml) -> None:
    """A named file's sections count, not those of spsetl.toml."""
    write_toml(TWO)
    other = tmp_path / "other.toml"
    other.write_text('[appliances."sps.example.com"]\nurl = "https://h"')

    assert [settings.appliance for settings in load_appliances(file=other, environ={})] == ["sps.example.com"]


# One of several


@pytest.mark.parametrize(
    ("environ", "arguments"),
    [
        ({}, {"appliance": "north"}),
        ({"SPSETL_APPLIANCE": "north"}, {}),
        ({"SPSETL_APPLIANCE": "south"}, {"appliance": "north"}),
    ],
)
def test_one_can_be_chosen_by_its_name(
    write_toml: WriteToml, environ: dict[str, str], arguments: dict[str, object]
) -> None:
    """By argument, or else by the environment; the others are left aside, with what is wrong with their values."""
    write_toml(TWO + "[appliances.broken]\ntimeout = -1")

    (north,) = load_appliances(arguments, environ=environ)

    assert (north.appliance, north.url) == ("north", "https://north.example.com")


def test_unknown_appliance_is_refused_with_the_known_names(write_toml: WriteToml) -> None:
    """Whoever asks for an appliance that the file does not have sees which it has."""
    write_toml(TWO)
    known = "names no appliance of spsetl.toml; it has [appliances.south], [appliances.north]"

    assert refusal({"SPSETL_APPLIANCE": "west"}) == f"SPSETL_APPLIANCE {known}"
    assert refusal(arguments={"appliance": "west"}) == f"argument appliance {known}"


def test_one_address_for_all_is_refused(write_toml: WriteToml) -> None:
    """An address outside of the file is for one appliance only: it would store one's sessions under each name."""
    write_toml(TWO)

    assert refusal({"SPSETL_URL": "https://h"}).startswith("SPSETL_URL would send all appliances ")
    assert refusal(arguments={"url": "https://h"}).startswith("argument url would send all appliances ")

    (north,) = load_appliances({"appliance": "north"}, environ={"SPSETL_URL": "https://h"})
    assert north.url == "https://h"


# Ways to log in


def test_password_of_the_environment_is_for_all(write_toml: WriteToml) -> None:
    """SPSETL_PASSWORD stands for whatever password, or file of one, the file names."""
    write_toml(TWO.replace(f'password = "{SECRET}"', 'password_file = "/nowhere"'))

    for settings in load_appliances(environ={"SPSETL_PASSWORD": SECRET}):
        assert settings.for_appliance().password == SecretStr(SECRET)


@pytest.mark.parametrize(
    ("top", "section", "kept"),
    [
        ('password = "p"', 'password_file = "f"', {"password_file"}),
        ('password_file = "f"', 'password = "p"', {"password"}),
        ('username = "u"\npassword_file = "f"', 'client_cert = "c"', {"client_cert"}),
        ('username = "u"\npassword = "p"', 'client_cert = "c"', {"client_cert"}),
        ('username = "u"\nkeyring = "k"', 'client_cert = "c"', {"client_cert"}),
        ('keyring = "k"', 'password_file = "f"', {"password_file"}),
        ('password = "p"', 'keyring = "k"', {"keyring"}),
        ('password_file = "f"', 'keyring = "k"', {"keyring"}),
        ('client_cert = "c"', 'username = "u"\npassword = "p"', {"username", "password"}),
        ('username = "u"', 'password = "p"', {"username", "password"}),
    ],
)
def test_way_to_log_in_replaces_a_farther_one(write_toml: WriteToml, top: str, section: str, kept: set[str]) -> None:
    """A section says how to log in without first having to unset what holds for the others."""
    write_toml(f"{top}\n[appliances.a]\n{section}")
    (settings,) = load_appliances(environ={})

    set_ = {
        name for name in ("username", "password", "password_file", "keyring", "client_cert") if getattr(settings, name)
    }
    assert set_ == kept
    assert {name for name in kept if settings.origins[name] == "default"} == set()


# What is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f'[appliances.a]\nurll = "{SECRET}"', "[appliances.a] urll in spsetl.toml is no setting; the nearest is url"),
        (f'[appliances.a]\npasswort = "{SECRET}"', "the nearest is password"),
        ('[appliances.a]\nappliances = "x"', "[appliances.a] appliances in spsetl.toml is no setting"),
        (
            '[appliances.a]\noffice_hours = "Mon 08:00-18:00 UTC"',
            "[appliances.a] office_hours in spsetl.toml is the same for all appliances",
        ),
        (
            '[appliances.a]\nlog_format = "json"',
            "[appliances.a] log_format in spsetl.toml is the same for all appliances",
        ),
        (
            '[appliances.a]\nlog_level = "info"',
            "[appliances.a] log_level in spsetl.toml is the same for all appliances",
        ),
        ('[appliances.a]\nmetrics_file = "x"', "[appliances.a] metrics_file in spsetl.toml is the same for all"),
        ('[appliances.a]\ndata_dir = "x"', "[appliances.a] data_dir in spsetl.toml is the same for all appliances"),
        ('[appliances.a]\nappliance = "x"', "[appliances.a] appliance in spsetl.toml is said by the section's name"),
        ('[appliances.sps.example]\nurl = "x"', "[appliances.sps] example in spsetl.toml is a section; write"),
        ('appliance = "a"\n[appliances.a]', "appliance in spsetl.toml contradicts its [appliances.NAME] sections"),
        (f'appliances = "{SECRET}"', "appliances in spsetl.toml must be sections, [appliances.NAME]"),
        ("[[appliances]]", "appliances in spsetl.toml must be sections, [appliances.NAME]"),
        (f'[appliances]\na = "{SECRET}"', "appliances in spsetl.toml must be sections; write [appliances.a]"),
        ('[appliances."a b"]', '[appliances."a b"] in spsetl.toml must be a short name'),
        ('[appliances."../a"]', '[appliances."../a"] in spsetl.toml must be a short name'),
        ('[appliances."a\\nb"]', '[appliances."a\\nb"] in spsetl.toml must be a short name'),
        ('[appliances.""]', '[appliances.""] in spsetl.toml should have at least 1 character'),
        ("[appliances.a]\ntimeout = -1", "[appliances.a] timeout in spsetl.toml should be greater than 0; for"),
        ("[appliances.a]\npassword = 31415926", "[appliances.a] password in spsetl.toml should be a valid string"),
        ('"a\\nb" = 1', '"a\\nb" in spsetl.toml is no setting'),
    ],
)
def test_wrong_section_is_refused(write_toml: WriteToml, content: str, message: str) -> None:
    """The message names the section, the key and the file, and never the value."""
    write_toml(content)

    shown = refusal()
    assert message in shown
    assert "31415926" not in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('username = "u"', "[appliances.a] url is not set"),
        ('url = "https://h"', "[appliances.a] username and [appliances.a] password must be set to log in"),
        (
            'url = "https://h"\nusername = "u"',
            "[appliances.a] password is not set; set it, or [appliances.a] password_",
        ),
        (
            'url = "https://h"\nusername = "u"\npassword_file = "/nowhere"',
            "[appliances.a] password_file in spsetl.toml: /nowhere cannot be read",
        ),
        (
            'url = "https://h"\nca_file = "x"\nverify_tls = false',
            "[appliances.a] ca_file in spsetl.toml is of no use while [appliances.a] verify_tls in spsetl.toml is off",
        ),
        ('url = "https://h"\nclient_cert = "/nowhere"', "[appliances.a] client_cert in spsetl.toml: /nowhere cannot"),
    ],
)
def test_half_a_section_is_named_with_its_place(write_toml: WriteToml, content: str, message: str) -> None:
    """What an appliance lacks is named as its section would have it, not as a variable for all."""
    write_toml(f"[appliances.a]\n{content}")

    assert refusal().startswith(message)


def test_remark_names_the_section(write_toml: WriteToml) -> None:
    """Of several appliances, a remark says which it is about."""
    write_toml("[appliances.a]\nverify_tls = false\n[appliances.b]")
    first, second = load_appliances(environ={})

    assert first.remarks[0].startswith("[appliances.a] verify_tls in spsetl.toml is off")
    assert first.remarks[0].endswith("set [appliances.a] ca_file")
    assert second.remarks == ()


# Commands that only read the copy


@pytest.mark.parametrize("sections", ["[appliances.a]\ntimeout = -1", "appliances = 3", "[appliances.a]\nx = 1"])
def test_reading_the_copy_needs_no_section(write_toml: WriteToml, sections: str) -> None:
    """load_settings takes the top level alone, whatever the sections hold."""
    write_toml(f'data_dir = "copy"\n{sections}' if sections[0] == "[" else f'{sections}\ndata_dir = "copy"')

    settings = load_settings(environ={})

    assert (settings.data_dir, settings.appliance, settings.timeout) == (Path("copy"), None, 60)


def test_sections_are_not_left_aside_where_an_appliance_is_reached(write_toml: WriteToml) -> None:
    """Settings without their sections reach no appliance, unless the caller says itself which one."""
    write_toml('url = "https://top"\nusername = "u"\npassword = "p"\n[appliances.a]\nurl = "https://a"')

    with pytest.raises(SettingsError, match=r"sections, which are not applied here; put .* at the top level"):
        load_settings(environ={}).for_appliance()
    assert load_settings({"url": "https://h"}, environ={}).for_appliance().url == "https://h"


# Where values came from


def test_every_value_has_its_origin(write_toml: WriteToml) -> None:
    """Each setting says which place its value came from: the one that counted, not those that it overrode."""
    write_toml(
        "timeout = 1\nconcurrency = 1\nlookback = 1\nsweep_days = 1\n[appliances.a]\nconcurrency = 2\nlookback = 2"
    )
    environ = {"SPSETL_LOOKBACK": "3", "SPSETL_SWEEP_DAYS": "3", "SPSETL_MAX_REQUESTS": "none"}

    (settings,) = load_appliances({"sweep_days": 4, "url": None}, environ=environ)

    assert list(settings.origins) == list(Settings.model_fields)
    assert {name: origin for name, origin in settings.origins.items() if origin != "default"} == {
        "timeout": "timeout in spsetl.toml",
        "concurrency": "[appliances.a] concurrency in spsetl.toml",
        "lookback": "SPSETL_LOOKBACK",
        "sweep_days": "argument sweep_days",
        "max_requests": "SPSETL_MAX_REQUESTS",
        "appliance": "[appliances.a] in spsetl.toml",
    }


def test_origins_of_settings_made_directly() -> None:
    """Settings that no place gave come from their maker's arguments."""
    origins = Settings(timeout=3).origins

    assert (origins["timeout"], origins["lookback"]) == ("argument timeout", "default")


def test_origins_hold_no_value(write_toml: WriteToml) -> None:
    """What is said of where a password came from does not have the password."""
    write_toml(TWO)
    arguments = {"url": "https://private.example.com", "appliance": "north"}

    (settings,) = load_appliances(arguments, environ={"SPSETL_USERNAME": "somebody"})

    shown = " ".join(settings.origins.values())
    assert settings.origins["password"] == "[appliances.north] password in spsetl.toml"
    assert not [value for value in (SECRET, "private", "somebody", "30") if value in shown]


# Options of commands


def option_names(command: str) -> set[str]:
    """All options of a command."""
    program = app[command]
    assert isinstance(program, App)
    return {name for one in program.assemble_argument_collection() for name in one.names}


def typed(*words: str) -> tuple[Settings, ...]:
    """The settings of a command that a person types."""
    program = App()
    no_options = SyncOptions()

    @program.default
    def load(*, options: SyncOptions = no_options) -> tuple[Settings, ...]:
        return options.load_all()

    settings: tuple[Settings, ...] = program(words, result_action="return_value", exit_on_error=False)
    return settings


@pytest.mark.parametrize("command", ["sync", "backfill", "reconcile", "doctor", "trail"])
def test_every_setting_but_the_password_has_an_option(command: str) -> None:
    """Nothing can be set in the file alone, except what the process list must not show."""
    names = {f"--{one.name.replace('_', '-')}" for one in describe_settings()}

    assert names - option_names(command) == {"--password"}


@pytest.mark.parametrize("command", ["status", "stats", "sql", "histogram", "report", "export", "rebuild"])
def test_who_reads_the_copy_has_its_options_alone(command: str) -> None:
    """What concerns an appliance is no option of a question."""
    names = {f"--{one.name.replace('_', '-')}" for one in describe_settings()}

    of_the_question = {"--appliance"}  # whose sessions: no setting there
    found = names & option_names(command) - of_the_question
    assert found == {"--data-dir", "--question-seconds", "--question-memory", "--merge-memory"}


@pytest.mark.parametrize("one", [one for one in describe_settings() if not one.is_secret], ids=lambda one: one.name)
def test_an_option_sets_its_setting(one: SettingDescription) -> None:
    """As the argument of that name would, and no other; its help names the variable and the default."""
    option = f"--{one.name.replace('_', '-')}"
    (settings,) = typed(option) if one.kind is bool else typed(option, one.example)
    program = app["sync"]
    assert isinstance(program, App)
    (said,) = (given.parameter.help for given in program.assemble_argument_collection() if option in given.names)

    assert settings == load_settings({one.name: one.example}, environ={})
    assert [name for name, origin in settings.origins.items() if origin != "default"] == [one.name]
    assert said.startswith(one.meaning)
    assert f"({one.variable}" in said
    assert one.default in said


def test_options_choose_among_the_sections(write_toml: WriteToml) -> None:
    """The options of a sync lie on top of each section, or of the one that they name."""
    write_toml(TWO)

    assert [one.timeout for one in typed("--timeout", "5")] == [5, 5]
    assert [one.url for one in typed("--appliance", "north")] == ["https://north.example.com"]
    assert [one.max_minutes for one in typed("--max-minutes", "1.5", "--appliance", "north")] == [1.5]


def test_options_lift_what_the_file_sets(write_toml: WriteToml) -> None:
    """`none` and `--no-` are values; a wrong one is refused as any other."""
    write_toml("max_requests = 5\nverify_tls = true")
    (settings,) = typed("--max-requests", "none", "--no-verify-tls", "--sweep-requests=0")

    assert (settings.max_requests, settings.verify_tls, settings.sweep_requests) == (None, False, 0)
    with pytest.raises(SettingsError, match=r"^argument max_minutes should be greater than 0; for example 240$"):
        typed("--max-minutes=-1")
    with pytest.raises(SettingsError, match=r"^argument concurrency should be a valid integer, unable to .*; for ex"):
        typed("--concurrency", "many")
