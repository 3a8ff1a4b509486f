"""A page as Chromium draws it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

BROWSER: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,1000",
)
_MILLISECONDS: Final = 15_000
_SECONDS: Final = 90


class _Text(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL))

    def handle_data(self, data: str) -> None:
        """Gather it."""
        self.words.append(data)


def _browse(url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    command = [BROWSER, *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--virtual-time-budget={_MILLISECONDS}"]
    return subprocess.run(
        [*command, *options, url], capture_output=True, text=True, timeout=_SECONDS, check=True, cwd=folder
    )


def read_page(url: str, folder: Path) -> str:
    """The text that a person reads there, once its scripts have run."""
    return " ".join(" ".join(_Text(_browse(url, folder, "--dump-dom").stdout).words).split())


def draw_page(url: str, folder: Path, picture: Path) -> Path:
    """The page as a PNG."""
    _browse(url, folder, f"--screenshot={picture}")
    return picture
