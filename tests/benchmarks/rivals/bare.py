"""The limit: the same requests by requests alone, with as many connections. Nothing is decoded, nothing is kept."""

import threading
from collections.abc import Iterator
from pathlib import Path

import requests
from asking import log_in, read_task, say


def main() -> None:
    """Every address once."""
    task = read_task()
    paths = Path(task["paths"]).read_text(encoding="utf-8").splitlines()
    rest, guard = iter(paths), threading.Lock()
    cookie = log_in(task)
    counted: list[int] = []

    def take() -> Iterator[str]:
        while True:
            with guard:
                path = next(rest, None)
            if path is None:
                return
            yield path

    def work() -> None:
        with requests.Session() as session:
            session.cookies.set("session_id", cookie)
            got = 0
            for path in take():
                answer = session.get(task["url"] + path, timeout=60)
                answer.raise_for_status()
                got += len(answer.content)
            counted.append(got)

    threads = [threading.Thread(target=work) for _ in range(task["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(rows={"requests": len(paths)}, bytes=sum(counted))


if __name__ == "__main__":
    main()
