"""`spsetl simulate`: the simulated appliance alone."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
from cyclopts import Parameter

from spsetl.errors import UsageError
from spsetl.files import replacing
from spsetl.simulator import Quirks, Simulator, World, WorldSpec, serve

DEFAULT_SPEC = WorldSpec()
DEFAULT_QUIRKS = Quirks()


def simulate(
    *,
    spec: Annotated[WorldSpec, Parameter(name="*", group="World")] = DEFAULT_SPEC,
    quirks: Annotated[Quirks, Parameter(name="*", group="Quirks")] = DEFAULT_QUIRKS,
    port: int = 8443,
    tls: bool = False,
    username: str = "audit",
    password: str = "sps-audit",  # noqa: S107 the password of a stand-in
    ready_file: Path | None = None,
) -> None:
    """Run a simulated SPS appliance on this machine until Ctrl-C.

    `GET /simulator/advance-night` lets a night pass, `/simulator/requests` counts the requests by kind,
    `/simulator/details` the details asked for, and those asked for more than once for one revision of their session,
    and `/simulator/world` tells the world's time and number of sessions.

    Args:
        spec: What the simulated world is made from.
        quirks: How the simulated appliance behaves.
        port: Port on 127.0.0.1; 0 takes a free one.
        tls: Serve https with a certificate of its own CA.
        username: User that may log in.
        password: The user's password.
        ready_file: Written once connections are welcome: JSON with url, username and ca_file.
    """

    def started(simulator: Simulator) -> None:
        simulator.warm()  # now, so that nobody measures it
        _announce(simulator)
        if ready_file:
            facts = {"url": simulator.url, "username": username, "ca_file": _text(simulator.ca_file)}
            with replacing(ready_file) as file:
                file.write(orjson.dumps(facts))

    print(f"making a world of {spec.sessions + spec.burst:,} sessions …", file=sys.stderr, flush=True)
    world = World(spec)
    try:
        serve(world, quirks, port=port, username=username, password=password, tls=tls, started=started)
    except OSError as error:
        raise UsageError(f"cannot listen on port {port} ({error.strerror}): choose another with --port") from error


def _announce(simulator: Simulator) -> None:
    settings = {
        "SPSETL_URL": simulator.url,
        "SPSETL_USERNAME": simulator.username,
        "SPSETL_PASSWORD": simulator.password,
        "SPSETL_CA_FILE": _text(simulator.ca_file),
    }
    words = " ".join(f"{name}={value}" for name, value in settings.items() if value)
    print(f"ready, stop with Ctrl-C; sync from it with\n  {words} spsetl sync", file=sys.stderr, flush=True)


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
