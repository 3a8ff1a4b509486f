"""What runs spsetl on a machine: systemd's units, the image, the compose file and the cron lines fit the code."""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points, files
from pathlib import Path
from typing import Final

import pytest

from deployments.systemd import units
from spsetl import errors
from spsetl.cli import app
from spsetl.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENTS: Final = ROOT / "deployments"
SYSTEMD: Final = DEPLOYMENTS / "systemd"
DOCKER: Final = DEPLOYMENTS / "docker"
CRON: Final = DEPLOYMENTS / "cron" / "spsetl.cron"
HOME: Final = "/srv/spsetl"
UNITS: Final = {
    path.name: units.read_unit(path.read_text("utf-8"))
    for path in sorted(SYSTEMD.iterdir())
    if path.suffix in {".service", ".timer"}
}
SERVICES: Final = {name: unit for name, unit in UNITS.items() if name.endswith(".service")}
TIMERS: Final = {name: unit for name, unit in UNITS.items() if name.endswith(".timer")}
NOTIFY: Final = "spsetl-notify@.service"
GUIDES: Final = [SYSTEMD / "README.md", DOCKER / "README.md"]
TEXTS: Final = [
    path for folder in (SYSTEMD, DOCKER, CRON.parent) for path in sorted(folder.iterdir()) if path.is_file()
]
# Of `python -m flows.deploy`, not of a sync.
OF_THE_DEPLOYMENT: Final = {"SPSETL_HOME", "SPSETL_CRON", "SPSETL_TIME_ZONE", "SPSETL_NOTIFY"}
WORTH_A_RETRY: Final = {5, 6}
INTERRUPTED: Final = 130
TERMINATED: Final = 143


def name_of(path: Path) -> str:
    """The path as a person names it."""
    return path.relative_to(ROOT).as_posix()


def program_exists(path: str) -> bool:
    """Whether a path below the checkout is a file of it, or a program that the environment has."""
    inside = path.removeprefix(HOME + "/")
    programs = {one.name for one in entry_points(group="console_scripts")} | {"python"}
    if inside.startswith(".venv/bin/"):
        return inside.removeprefix(".venv/bin/") in programs
    return (ROOT / inside).is_file()


def exit_codes() -> set[int]:
    """The exit codes of all errors."""
    return {one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)}


def test_there_is_something_to_look_at() -> None:
    """The units that the guide names are those that the tests below read."""
    named = set(re.findall(r"spsetl-[\w-]+@?\.(?:service|timer)", GUIDES[0].read_text("utf-8")))

    assert named <= set(UNITS)
    assert (len(SERVICES), len(TIMERS)) == (5, 2)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, but of a directive that it does not know."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text("utf-8")
        program = re.sub(rf"{HOME}/\.venv/bin/\w+", sys.executable, text)
        (tmp_path / name).write_text(program.replace(HOME, str(ROOT)), "utf-8")
    done = verify(*sorted(tmp_path.iterdir()))
    broken = tmp_path / "broken.service"
    broken.write_text((tmp_path / "spsetl-sync.service").read_text("utf-8") + "ProtectSytem=yes\n", "utf-8")

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "ProtectSytem" in verify(broken).stderr


def verify(*paths: Path) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze verify` says of units."""
    command = ["systemd-analyze", "verify", "--man=no", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", TIMERS)
def test_timer_names_its_zone(name: str) -> None:
    """Each timer fires once a day at a time of a named zone, makes up for what it missed, and has its service."""
    (calendar,) = TIMERS[name]["Timer"]["OnCalendar"]
    command = ["systemd-analyze", "calendar", "--iterations=2", "--base-time=2026-11-01 12:00:00 UTC", calendar]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert calendar.endswith(" UTC")
    assert re.findall(r"2026-11-0(\d) \d\d:\d\d:00 UTC", said) == ["2", "3"]
    assert TIMERS[name]["Timer"]["Persistent"] == ["yes"]
    assert name.replace(".timer", ".service") in SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_service_runs_what_exists(name: str) -> None:
    """Every path below the checkout that a unit names is there, and executable where it is the program."""
    text = (SYSTEMD / name).read_text("utf-8")
    missing = [path for path in re.findall(rf"{HOME}/[\w./-]+", text) if not program_exists(path)]
    program = units.command_of(SERVICES[name])[0].removeprefix(HOME + "/")

    assert missing == []
    assert program.startswith(".venv/bin/") or (ROOT / program).stat().st_mode & 0o111


@pytest.mark.parametrize("name", [name for name in SERVICES if name != NOTIFY])
def test_failed_service_gives_notice_and_is_closed_in(name: str) -> None:
    """Each service tells of its failure, runs as a user without rights, and writes into its own folders alone."""
    service = SERVICES[name]["Service"]
    written = [units.environment_of(SERVICES[name], {}).get(one) for one in ("SPSETL_DATA_DIR", "PREFECT_HOME")]
    pages = units.environment_of(SERVICES[name], {}).get("PREFECT_SERVER_UI_STATIC_DIRECTORY", "")

    assert SERVICES[name]["Unit"]["OnFailure"] == ["spsetl-notify@%n.service"]
    assert service.get("User") == ["spsetl"] or service.get("DynamicUser") == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert "CapabilityBoundingSet" in service
    assert service["CapabilityBoundingSet"] == []
    assert any(pages.startswith(folder) for folder in units.state_folders(SERVICES[name])) or "server" not in name
    if name != "spsetl-fresh.service":  # reads alone
        assert {one for one in written if one} <= set(units.state_folders(SERVICES[name]))


def test_failed_sync_is_tried_again_only_where_it_helps() -> None:
    """No exit code but 0 is a success, and all but those of a passing trouble end the sync with a notice at once."""
    sync = SERVICES["spsetl-sync.service"]["Service"]
    not_again = {int(one) for one in sync["RestartPreventExitStatus"][0].split() if one.isdigit()}

    assert sync["Type"] == ["oneshot"]
    assert "SuccessExitStatus" not in sync
    assert not_again == (exit_codes() | {INTERRUPTED, TERMINATED}) - WORTH_A_RETRY
    assert {"SIGKILL", "SIGINT", "SIGTERM"} <= set(sync["RestartPreventExitStatus"][0].split())
    assert sync["KillSignal"] == ["SIGINT"]
    assert sync["TimeoutStartSec"] != ["infinity"]


@pytest.mark.parametrize("name", ["spsetl-sync.service", "spsetl-prefect-worker.service"])
def test_password_is_a_credential_under_the_name_that_spsetl_reads(name: str, tmp_path: Path) -> None:
    """What LoadCredential= names is what the settings find, and nothing of it stands in a unit or a sample."""
    from spsetl.settings import load_settings  # noqa: PLC0415 beside what it is for

    ((credential, source),) = units.credentials_of(SERVICES[name]).items()
    (tmp_path / credential).write_text("of-the-credential")
    environment = {"SPSETL_URL": "https://sps.example.com", "SPSETL_USERNAME": "spsetl"}
    access = load_settings(environ=environment | {"CREDENTIALS_DIRECTORY": str(tmp_path)}).for_appliance()

    assert access.password is not None
    assert access.password.get_secret_value() == "of-the-credential"
    assert source == "/etc/spsetl/password"


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_variables_are_known(path: Path) -> None:
    """Every variable of spsetl and of Prefect that a file sets is one that they read, and no password is among them."""
    text = path.read_text("utf-8")
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OF_THE_DEPLOYMENT
    unknown = set(re.findall(r"\bSPSETL_[A-Z_]+[A-Z]\b", text)) - known
    unknown |= set(re.findall(r"\bPREFECT_[A-Z_]+[A-Z]\b", text)) - prefect_variables()

    assert unknown == set()
    assert not re.search(r"\bSPSETL_PASSWORD\b", text)


def prefect_variables() -> set[str]:
    """The names of Prefect's settings as variables; read, since its import takes seconds."""
    (listing,) = (one for one in files("prefect") or [] if one.as_posix() == "prefect/settings/_types.py")
    return {"PREFECT_" + name.replace(".", "_").upper() for name in re.findall(r'"([a-z_.]+)"', listing.read_text())}


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder of stand-ins for the programs that notify.sh calls; `sendmail` keeps what it is given."""
    for name, script in {
        "systemctl": 'case "$3" in *Result) echo timeout ;; *) echo 130 ;; esac',
        "journalctl": "echo the end of the log",
        "sendmail": f'cat > "{tmp_path}/mail"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def notify(commands: Path, **environment: str) -> str:
    """What notify.sh prints."""
    done = subprocess.run(
        [SYSTEMD / "notify.sh", "spsetl-sync.service"],
        env={"PATH": f"{commands}:/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_notice_is_critical_and_is_mailed(commands: Path) -> None:
    """A notice says which unit failed and why; with NOTIFY_MAIL it is a mail, with the end of the log."""
    said = notify(commands, MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="5", NOTIFY_MAIL="a@example.com")
    mail = (commands / "mail").read_text()

    assert said.startswith("<2>spsetl-sync.service on ")
    assert "exit-code, 5 (the appliance cannot be reached" in said
    assert mail.startswith("To: a@example.com\nSubject: spsetl-sync.service on ")
    assert mail.endswith("the end of the log\n")


def test_notice_asks_systemd_where_it_was_not_told(commands: Path) -> None:
    """Without MONITOR_* the unit's own properties are told; without NOTIFY_MAIL nothing is mailed."""
    said = notify(commands)

    assert "has failed: timeout, 130 (it was stopped" in said
    assert not (commands / "mail").exists()


@pytest.mark.parametrize("code", sorted(exit_codes() - {1}))
def test_notice_explains_every_exit_code(commands: Path, code: int) -> None:
    """Each exit code that has a meaning has it in the notice."""
    assert "(see its log)" not in notify(commands, MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS=str(code))


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_guide_names_what_exists(guide: Path) -> None:
    """Each file, command of spsetl and script that a guide of this machine names is there."""
    text = guide.read_text("utf-8")
    paths = set(re.findall(r"\bdeployments/[\w./-]+\w", text))
    spoken = set(
        re.findall(r"(?<![/\w-])spsetl ([a-z]+)\b", "\n".join(re.findall(r"`spsetl [^`]+`|worker spsetl .*", text)))
    )

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert spoken <= set(app)


def cron_lines() -> Iterator[tuple[list[str], str, str]]:
    """Time, user and command of each line of the crontab."""
    for line in CRON.read_text("utf-8").splitlines():
        if line and not line.startswith("#") and not re.match(r"\w+=", line):
            *when, user, command = line.split(maxsplit=6)
            yield when, user, command


@pytest.mark.parametrize("code", [0, 3])
def test_cron_mails_failures_alone(tmp_path: Path, code: int) -> None:
    """A sync that succeeds prints nothing, one that fails its exit code and all that it said."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "spsetl"
    program.write_text(f'#!/bin/sh\necho "$1 says"; echo complains >&2; exit {code}\n')
    program.chmod(0o755)
    (when, user, command), (_, _, look) = cron_lines()
    line = command.replace(HOME, str(tmp_path))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)

    assert (len(when), user) == (5, "spsetl")
    assert "%" not in command + look  # cron ends a line there
    assert done.returncode == code
    assert done.stdout + done.stderr == ("" if code == 0 else "spsetl sync: exit code 3\nsync says\ncomplains\n")
    assert program_exists(f"{HOME}/{look.split()[-2]}")


def test_units_are_read_as_systemd_does() -> None:
    """Lines go on after a backslash, an empty value forgets those before, comments say nothing."""
    text = textwrap.dedent("""
        [Service]
        # ExecStart=/no
        Environment=A=1 B=%S/x
        LoadCredential=a:/b
        LoadCredential=
        LoadCredential=c:/d
        ExecStart=/bin/x \\
            "one word" %i
    """)
    unit = units.read_unit(text)

    assert units.environment_of(unit, {}) == {"A": "1", "B": "/var/lib/x"}
    assert units.credentials_of(unit) == {"c": "/d"}
    assert units.command_of(unit) == ["/bin/x", "one word", "%i"]
