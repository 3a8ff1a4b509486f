"""The parts of the README that are made from the code: `make readme` writes them, and a test compares them."""

from pathlib import Path
from typing import Final

from spsetl import schema
from spsetl.settings import describe_settings

README: Final = Path(__file__).parents[1] / "README.md"


def settings_as_markdown() -> str:
    """A table of all settings."""
    rows = [f"| `{one.variable}` | {one.default} | {one.meaning} |" for one in describe_settings()]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


PARTS: Final = {"tables": schema.as_markdown, "settings": settings_as_markdown}


def with_parts(text: str) -> str:
    """The text with each part made anew between its two markers.

    Raises:
        ValueError: A marker is missing, or there twice.
    """
    for name, make in PARTS.items():
        start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"README.md must have {start} and {end}, once each")
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = f"{before}{start}\n\n{make().strip()}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_parts(README.read_text(encoding="utf-8")), encoding="utf-8")
