"""Runs what the units run where no systemd is: `try_without_systemd.py FOLDER`.

In FOLDER, which must be new, a machine is set up by the steps of README.md. Then the command of each unit is run with
the unit's user, environment, credentials and folders, all else read-only, against a simulated appliance. Needs root,
bubblewrap, make, and a network for the packages. What systemd itself does (times, restarts) is not tried by this.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from sandbox import Machine, Setting, checked, environment_of_the_index, free_port, run, start  # noqa: E402
from units import Unit, command_of, credentials_of, environment_of, read_unit, state_folders  # noqa: E402

NOT_COPIED = shutil.ignore_patterns(".venv*", ".git", "__pycache__", "demo-data", "data", ".*_cache", ".hypothesis")
CREDENTIALS = "/run/credentials"
UNREACHABLE, NOT_FRESH = 5, 3
SECONDS_TO_STOP = 60
STEPS = (
    "make .venv/.made",
    "useradd --system --user-group --home-dir /var/lib/spsetl --shell /usr/sbin/nologin spsetl",
    "install -d -m 0755 /etc/spsetl",
    "install -m 0644 deployments/systemd/spsetl.env /etc/spsetl/",
    "install -m 0600 /dev/null /etc/spsetl/password",
)


def say(message: str) -> None:
    """One line of what was tried."""
    print(message, flush=True)


def set_up(machine: Machine) -> None:
    """The steps of README.md, as root, with the checkout copied instead of cloned."""
    shutil.copytree(CHECKOUT, machine.inside("/srv/spsetl"), ignore=NOT_COPIED)
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"} | environment_of_the_index()
    for step in STEPS:
        began = time.monotonic()
        checked(machine, Setting(environment=environment, folder="/srv/spsetl"), ["sh", "-c", step])
        say(f"  {step}: {time.monotonic() - began:.0f} s")


def load(name: str) -> Unit:
    """One of the units beside this file."""
    return read_unit((HERE / name).read_text(encoding="utf-8"))


def setting_of(machine: Machine, unit: Unit, **more: str) -> Setting:
    """How systemd would run the unit's program."""
    user, group = ids(machine)
    folders = state_folders(unit)
    for folder in folders:
        machine.inside(folder).mkdir(parents=True, exist_ok=True)
        os.chown(machine.inside(folder), user, group)
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    environment |= environment_of(
        unit, {str(Path("/etc/spsetl") / name): machine.inside(f"/etc/spsetl/{name}") for name in FILES}
    )
    for name, source in credentials_of(unit).items():
        environment["CREDENTIALS_DIRECTORY"] = CREDENTIALS
        target = machine.inside(CREDENTIALS) / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(machine.inside(source), target)
        os.chown(target, user, group)
        target.chmod(0o400)
    return Setting(
        environment=environment | more,
        folder=unit["Service"]["WorkingDirectory"][-1],
        user=user,
        group=group,
        writable=folders,
        hidden=("/home", "/root"),
    )


FILES = ("spsetl.env", "prefect.env")


def ids(machine: Machine) -> tuple[int, int]:
    """The numbers of the user spsetl and its group."""
    lines = [line.split(":") for line in machine.inside("/etc/passwd").read_text().splitlines()]
    return next((int(fields[2]), int(fields[3])) for fields in lines if fields[0] == "spsetl")


def try_sync(machine: Machine) -> None:
    """The nightly sync, first unreachable and then not; the look whether the copy is fresh before and after."""
    sync, fresh = load("spsetl-sync.service"), load("spsetl-fresh.service")
    machine.inside("/etc/spsetl/password").write_text("secret-of-the-trial\n")
    setting = Setting(environment={"PATH": "/usr/bin:/bin"}, folder="/tmp", writable=["/var/lib"])  # noqa: S108
    ready = machine.inside("/var/lib/simulator.json")
    simulate = ["/srv/spsetl/.venv/bin/spsetl", "simulate", "--sessions", "300", "--port", "0", "--username", "spsetl"]
    simulate += ["--password", "secret-of-the-trial", "--ready-file", "/var/lib/simulator.json"]
    address = f"SPSETL_URL=http://127.0.0.1:{free_port()}\nSPSETL_USERNAME=spsetl\nSPSETL_TIMEOUT=2\n"
    machine.inside("/etc/spsetl/spsetl.env").write_text(address)
    tell("fresh, nothing published", run(machine, setting_of(machine, fresh), command_of(fresh)), 2)
    failed = run(machine, setting_of(machine, sync), command_of(sync))
    tell("sync, nobody there", failed, UNREACHABLE)
    notify(machine, failed)

    appliance = start(machine, setting, simulate, machine.root / "simulator.log")
    try:
        while not ready.exists():
            time.sleep(0.1)
        url = json.loads(ready.read_bytes())["url"]
        machine.inside("/etc/spsetl/spsetl.env").write_text(f"SPSETL_URL={url}\nSPSETL_USERNAME=spsetl\n")
        tell("sync", run(machine, setting_of(machine, sync), command_of(sync)), 0)
        tell("fresh", run(machine, setting_of(machine, fresh), command_of(fresh)), 0)
        tell(
            "fresh, within no time", run(machine, setting_of(machine, fresh), [*command_of(fresh)[:-1], "0"]), NOT_FRESH
        )
    finally:
        stop(appliance)


def notify(machine: Machine, failed: subprocess.CompletedProcess[str]) -> None:
    """What spsetl-notify@.service would say of it."""
    command = [word.replace("%i", "spsetl-sync.service") for word in command_of(load("spsetl-notify@.service"))]
    end = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": str(failed.returncode)}
    setting = Setting(environment={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"} | end)
    say(checked(machine, setting, command).strip())


def try_prefect(machine: Machine) -> None:
    """The server until its ExecStartPost is content, the worker until it is healthy, and the end of both."""
    server, worker = load("spsetl-prefect-server.service"), load("spsetl-prefect-worker.service")
    port, health = str(free_port()), str(free_port())
    more = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_WORKER_WEBSERVER_PORT": health}
    as_root = Setting(environment={"PATH": "/usr/bin:/bin"}, folder="/", writable=["/etc/spsetl"])
    first = [word.removeprefix("+") for word in command_of(server, "ExecStartPre")]
    checked(machine, as_root, first)
    at_server = setting_of(machine, server, **more)
    process = start(machine, at_server, [*command_of(server)[:-1], port], machine.root / "server.log")
    try:
        wait = [word.replace(":4200/", f":{port}/") for word in command_of(server, "ExecStartPost")]
        checked(machine, at_server, wait)
        checked(machine, at_server, [*wait[:-2], f"http://127.0.0.1:{port}/"])
        stranger = run(machine, at_server, [*wait[:-2], f"http://127.0.0.1:{port}/api/admin/version"])
        if "it answers 401" not in stranger.stderr:
            raise SystemExit(f"without the login: {stranger.stdout}{stranger.stderr}")
        say("server: its ExecStartPost found it healthy, its UI is there; without the login: 401")
        at_worker = setting_of(machine, worker, **more)
        working = start(machine, at_worker, command_of(worker), machine.root / "worker.log")
        look = [*wait[:-2], f"http://127.0.0.1:{health}/health", "120"]
        checked(machine, at_worker, look)
        say(f"worker: healthy; ended by SIGTERM, code {stop(working)}")
    finally:
        say(f"server: ended by SIGTERM, code {stop(process)}")


def tell(what: str, done: subprocess.CompletedProcess[str], expected: int) -> None:
    """The exit code and the last line; another one than expected ends this program."""
    said = done.stdout + done.stderr
    say(f"{what}: exit code {done.returncode}; {(said.strip().splitlines() or ['nothing said'])[-1]}")
    if done.returncode != expected or "secret-of-the-trial" in said:
        raise SystemExit(f"expected {expected}\n{said[-4000:]}")


def stop(process: subprocess.Popen[bytes]) -> int:
    """Tell the program inside to end, and wait."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        for program in Path(f"/proc/{child}/task/{child}/children").read_text().split() or [child]:
            os.kill(int(program), signal.SIGTERM)
    return process.wait(SECONDS_TO_STOP)


def main() -> None:
    """Set up, then try every unit."""
    machine = Machine(Path(sys.argv[1]).resolve())
    machine.root.mkdir(parents=True)
    machine.prepare()
    set_up(machine)
    try_sync(machine)
    try_prefect(machine)


if __name__ == "__main__":
    main()
