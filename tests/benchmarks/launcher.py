"""Runs a pipe of programs and tells what they used: `python -I -S launcher.py ORDER.json`, the result on stdout.

A process of its own, and a small one: the kernel counts to a program what whoever started it had in memory.
"""

import json
import os
import resource
import subprocess
import sys
import time


def main() -> None:
    """The order: `programs` (a list of argument lists), `env`, `folder` (of stdout and stderr)."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 pathlib would double the memory
        order = json.load(file)
    folder = order["folder"]
    began = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    with open(f"{folder}/stdout", "wb") as out, open(f"{folder}/stderr", "wb") as err:  # noqa: PTH123
        for number, program in enumerate(order["programs"]):
            is_last = number == len(order["programs"]) - 1
            source = processes[-1].stdout if processes else subprocess.DEVNULL
            to = out if is_last else subprocess.PIPE
            processes.append(subprocess.Popen(program, env=order["env"], stdin=source, stdout=to, stderr=err))
            if len(processes) > 1 and processes[-2].stdout:
                processes[-2].stdout.close()
    ended = [os.wait4(process.pid, 0) for process in processes]
    seconds = time.perf_counter() - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "seconds": seconds,
        "cpu_seconds": children.ru_utime + children.ru_stime,
        "megabytes": sum(usage.ru_maxrss for _, _, usage in ended) / 1024,
        "codes": [os.waitstatus_to_exitcode(status) for _, status, _ in ended],
    }
    for process, code in zip(processes, result["codes"], strict=True):
        process.returncode = code  # they have been waited for
    print(json.dumps(result))


if __name__ == "__main__":
    main()
