"""What goes wrong, as one line on standard error."""

import sys


def complain(message: str) -> None:
    """Say what went wrong and what to do next."""
    print(f"spsetl: {message}", file=sys.stderr, flush=True)
