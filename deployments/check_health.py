"""Whether an address answers 200: `check_health.py URL [SECONDS]`; it is asked again for so long, once by default.

Needs nothing but Python. Exit code 0 when it does, 1 when it does not.
"""

import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus

SECONDS_PER_ANSWER = 5.0


def wait_until_healthy(url: str, seconds: float) -> str | None:
    """Ask until it is healthy or the time is over; what was wrong at last, or None."""
    if not url.startswith(("http://", "https://")):
        return "no http address"
    deadline = time.monotonic() + seconds
    while (complaint := ask(url)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return complaint


def ask(url: str) -> str | None:
    """What is wrong now, or None."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_PER_ANSWER) as answer:  # noqa: S310 the caller has looked
            return None if answer.status == HTTPStatus.OK else f"it answers {answer.status}"
    except urllib.error.HTTPError as error:
        return f"it answers {error.code}"
    except (OSError, urllib.error.URLError) as error:
        return str(error)


if __name__ == "__main__":
    if wrong := wait_until_healthy(sys.argv[1], float(sys.argv[2]) if sys.argv[2:] else 0):
        sys.exit(f"{sys.argv[1]}: {wrong}")
