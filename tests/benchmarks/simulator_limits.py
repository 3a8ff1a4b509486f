"""What the simulated appliance can do, beside what a bare client can: `python tests/benchmarks/simulator_limits.py`.

The simulator runs in a process of its own, without latency. Where the client's CPU share is near 100 % and the
simulator's is not, a measurement of a client measures the client. Run by hand; Linux only (it reads /proc).
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import requests

SESSIONS = "/api/audit/sessions"
PROGRAM = """
import sys, time
from spsetl.simulator import Quirks, World, WorldSpec, serve
began = time.process_time()
world = World(WorldSpec(sessions=int(sys.argv[1])))
built = time.process_time()
def started(simulator):
    simulator.warm()
    print(simulator.url, built - began, time.process_time() - built, flush=True)
serve(world, Quirks(), port=0, started=started)
"""


def server_seconds(pid: int) -> float:
    """CPU seconds that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """CPU seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_megabytes(pid: int) -> int:
    """Memory of the process now."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def measure(name: str, http: requests.Session, pid: int, urls: Iterable[str]) -> None:
    """Gets each address once and prints the rate and both sides' CPU."""
    server, own, began = server_seconds(pid), own_seconds(), time.perf_counter()
    sizes = [len(http.get(url, timeout=60).content) for url in urls]
    took, count = time.perf_counter() - began, len(sizes)
    server, own = server_seconds(pid) - server, own_seconds() - own
    print(
        f"{name:16} {count / took:7.0f}/s   client {own / took:4.0%} CPU, {1000 * own / count:5.2f} ms each   "
        f"simulator {server / took:4.0%}, {1000 * server / count:5.2f} ms   {sum(sizes) / count:8.0f} bytes"
    )


def run(url: str, pid: int) -> None:
    """All measurements against one running simulator."""
    with requests.Session() as http:
        http.get(f"{url}/api/authentication", auth=("audit", "sps-audit"), timeout=60)
        for encoding in ("identity", "gzip"):
            http.headers["Accept-Encoding"] = encoding
            for fields in ("*,revision", "start_time,revision"):
                path = f"{url}{SESSIONS}?sort=start_time&limit=500&fields={fields}&offset="
                measure(f"page {encoding}", http, pid, [f"{path}{at}" for at in range(0, 10_000, 500)] * 5)
        keys = [item["key"] for item in http.get(f"{url}{SESSIONS}?limit=500", timeout=60).json()["items"]]
        for kind in ("channels", "events", "alerts"):
            measure(kind, http, pid, [f"{url}{SESSIONS}/{quote(key, safe='')}/{kind}" for key in keys] * 4)
        measure("first statistics", http, pid, [f"{url}{SESSIONS}/stats?field=protocol"])
        measure("statistics", http, pid, [f"{url}{SESSIONS}/stats?field=protocol"] * 5)


def main() -> None:
    """Starts the simulator, measures and ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    sessions = parser.parse_args().sessions
    command = [sys.executable, "-c", PROGRAM, str(sessions)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline() if server.stdout else ""
        url, built, warmed = line.split()
        print(f"{sessions:,} sessions: built in {float(built):.1f} s of CPU, documents made in {float(warmed):.1f} s")
        print(f"simulator: {resident_megabytes(server.pid)} MB resident")
        run(url, server.pid)
        print(f"simulator: {resident_megabytes(server.pid)} MB resident")
        server.terminate()


if __name__ == "__main__":
    main()
