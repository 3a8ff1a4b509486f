"""Builds and runs the image where no container engine is: `try_without_engine.py FOLDER`.

The Dockerfile's own lines are carried out in FOLDER, which must be new, with this machine's programs in place of the
base image. Then, as the image's user and on a read-only root: the demo, Prefect's server (on SQLite), the deployment,
the worker by the image's command, its health check, and its end. Needs root, bubblewrap, and a network for packages.
"""

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

from dockerfile import Stage, read_stages  # noqa: E402
from sandbox import Machine, Setting, checked, environment_of_the_index, free_port, run, start  # noqa: E402

SECONDS_TO_STOP = 60
STATE = ("/var/lib/spsetl", "/var/lib/prefect")


def say(message: str) -> None:
    """One line of what was tried."""
    print(message, flush=True)


def build(stages: list[Stage], folder: Path) -> Machine:
    """Carry out all stages; the machine of the last one."""
    machines: dict[str, Machine] = {}
    machine = Machine(folder)
    for number, stage in enumerate(stages):
        machine = machines[stage.name] = Machine(folder / str(number))
        machine.root.mkdir(parents=True)
        machine.prepare()
        build_stage(stage, machine, machines)
    return machine


def build_stage(stage: Stage, machine: Machine, machines: dict[str, Machine]) -> None:
    """Carry out the steps of one stage."""
    place = "/"
    for kind, arguments in stage.steps:
        began = time.monotonic()
        if kind == "WORKDIR":
            place = arguments
            machine.inside(place).mkdir(parents=True, exist_ok=True)
        elif kind == "COPY":
            copy(arguments.split(), machine, machines, place)
        elif kind == "RUN":
            path = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
            setting = Setting(environment=path | environment_of_the_index(), folder=place)
            checked(machine, setting, ["sh", "-c", arguments])
        else:
            continue
        say(f"  {kind} {arguments[:90]}: {time.monotonic() - began:.0f} s")


def copy(words: list[str], machine: Machine, machines: dict[str, Machine], place: str) -> None:
    """COPY: files into a folder, or a folder's content into a folder."""
    origin = CHECKOUT
    if words[0].startswith("--from="):
        origin = machines[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    to = machine.inside(Path(place) / target)
    for source in sources:
        path = origin / source.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to / path.name)


def try_image(stage: Stage, machine: Machine) -> None:
    """What a container of the image would do."""
    user, group = stage.user
    for folder in STATE:  # as the volumes of a container
        os.chown(machine.inside(folder), user, group)
    port, health_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/api"
    ports = {"PREFECT_API_URL": url, "PREFECT_WORKER_WEBSERVER_PORT": str(health_port)}
    setting = Setting(
        environment=stage.environment | ports | make_login(machine.root / "prefect.env"),
        folder="/srv/spsetl",
        user=user,
        group=group,
        writable=STATE,
    )

    refused = run(machine, setting, ["sh", "-c", "id -u; touch /srv/spsetl/x /opt/spsetl/x /etc/x /x"])
    say(
        f"user {refused.stdout.strip()}; refused: {refused.stderr.count('Read-only file system')} of 4 writes elsewhere"
    )
    if refused.stderr.count("Read-only file system") != 4:  # noqa: PLR2004 the four paths above
        raise SystemExit(refused.stderr)
    checked(machine, setting, ["spsetl", "demo", "--sessions", "200", "--data-dir", "/var/lib/spsetl/demo"])
    say("spsetl demo: done, with its report")

    check = [word.replace(":4201/", f":{health_port}/") for word in stage.health_check]
    logs, serve = machine.root, ["prefect", "server", "start", "--port", str(port)]
    server = start(machine, setting, serve, logs / "server.log")
    try:
        checked(machine, setting, ["python", "deployments/check_health.py", f"{url}/health", "120"])
        say(f"the server is healthy; without a worker, the health check says {run(machine, setting, check).returncode}")
        checked(machine, setting, ["python", "deployments/check_health.py", f"http://127.0.0.1:{port}/"])
        say("its UI is there")
        stranger = run(machine, setting, ["python", "deployments/check_health.py", f"{url}/admin/version"])
        if "it answers 401" not in stranger.stderr:
            raise SystemExit(f"without the login: {stranger.stdout}{stranger.stderr}")
        say("without the login: 401")
        checked(machine, setting, ["python", "-m", "flows.deploy"])
        say("python -m flows.deploy: done")
        worker = start(machine, setting, stage.command, logs / "worker.log")
        checked(machine, setting, [*check, "120"])
        say("the worker is healthy")
        say(f"the worker has ended, code {stop(worker)}")
        if run(machine, setting, check).returncode != 1:
            raise SystemExit("the health check does not see that the worker has gone")
    finally:
        stop(server)


def make_login(path: Path) -> dict[str, str]:
    """What the guide makes, as compose.yaml hands it on."""
    subprocess.run([CHECKOUT / "deployments" / "make-login.sh", path], check=True)  # noqa: S603 our own
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").split())


def stop(process: subprocess.Popen[bytes]) -> int:
    """Tell the first program inside, as an engine does; kill all if it does not listen."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        for program in Path(f"/proc/{child}/task/{child}/children").read_text().split() or [child]:
            os.kill(int(program), signal.SIGTERM)
    try:
        return process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        raise SystemExit(f"it did not stop within {SECONDS_TO_STOP} s") from None


def main() -> None:
    """Build, then try."""
    stages = read_stages((HERE / "Dockerfile").read_text(encoding="utf-8"))
    machine = build(stages, Path(sys.argv[1]).resolve())
    try_image(stages[-1], machine)


if __name__ == "__main__":
    main()
