"""The report in a real browser, headless and without a network: nothing runs, nothing is asked for, all is seen."""

import os
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from spsetl.report import write_report
from tests.page_copy import HOSTILE, NOW, make_rows, make_sessions, write_copy

BROWSER: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    # Whatever was asked for would be asked of a port where nobody listens, and complained of on the console.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr", "--v=0"),
)
DARK: Final = "--blink-settings=preferredColorScheme=0"
SECONDS: Final = 120
HEIGHT: Final = 260  # a picture is decoded here, point by point

if os.environ.get("CI") != "true":
    pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium")


class Elements(HTMLParser):
    """The elements of the document that the browser has built, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.handlers: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count the element, and note what would run or load."""
        self.count[tag] += 1
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name in {"href", "src", "xlink:href"}]

    def handle_data(self, data: str) -> None:
        """Gather the text."""
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a copy whose users, servers, policies and rules mean harm."""
    sessions = make_sessions(names=HOSTILE)
    for number, session in enumerate(sessions):
        evil = HOSTILE[number % len(HOSTILE)]
        session |= {"server_ip": None, "server_name": evil, "recording_connection_policy": evil, "verdict": evil}
    rows = make_rows(sessions=sessions)
    for number, alert in enumerate(rows["alerts"]):
        alert["rule_name"] = HOSTILE[number % len(HOSTILE)]
    folder = write_copy(tmp_path_factory.mktemp("copy"), rows)
    return write_report(folder, now=NOW.astimezone(), output=folder / "page.html")


@pytest.fixture
def browse(tmp_path: Path) -> "Browse":
    """Runs the browser with a new profile."""
    return Browse(tmp_path)


class Browse:
    """A browser; it complains on its standard error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, page: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Open the page, do what the options say, and end."""
        assert BROWSER, "no Chromium: .ci/run must install it (apt-get install -y chromium)"
        command = [BROWSER, *QUIET, f"--user-data-dir={self.folder / 'profile'}", *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)

    def picture(self, page: Path, width: int, *options: str) -> "Picture":
        """What is seen at that width."""
        file = self.folder / "picture.png"
        self(page, f"--window-size={width},{HEIGHT}", f"--screenshot={file}", *options)
        return Picture(file.read_bytes())


class Picture:
    """A PNG of 8 bit RGB or RGBA, without interlacing: what browsers write."""

    def __init__(self, png: bytes) -> None:
        self.width, self.height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", png[16:29])
        assert (depth, interlaced) == (8, 0)
        self.channels = {2: 3, 6: 4}[kind]
        self.lines = list(self._lines(zlib.decompress(b"".join(_chunks(png)))))

    def _lines(self, raw: bytes) -> "list[bytes]":
        lines, above = [], bytes(self.width * self.channels)
        step = len(above) + 1
        for begin in range(0, self.height * step, step):
            above = _unfilter(raw[begin], bytearray(raw[begin + 1 : begin + step]), above, self.channels)
            lines.append(above)
        return lines

    def colours(self) -> Counter[str]:
        """How many of the picture's points have each colour; every second line."""
        count: Counter[str] = Counter()
        for line in self.lines[::2]:
            points = range(0, len(line), self.channels)
            count.update(line[point : point + 3].hex() for point in points)
        return count


def _chunks(png: bytes) -> "list[bytes]":
    found, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            found.append(png[place + 8 : place + 8 + length])
        place += 12 + length
    return found


def _unfilter(kind: int, line: bytearray, above: bytes, step: int) -> bytes:
    """One line of a PNG as it was before its filter."""
    for place in range(len(line)):
        left = line[place - step] if place >= step else 0
        corner = above[place - step] if place >= step else 0
        guess = left + above[place] - corner
        nearest = min((left, above[place], corner), key=lambda one: abs(guess - one))
        line[place] = (line[place] + (0, left, above[place], (left + above[place]) // 2, nearest)[kind]) & 255
    return bytes(line)


def test_nothing_runs_and_nothing_is_asked_for(page: Path, browse: Browse) -> None:
    """The document has no script and no handler, the console stays silent, and hostile names are text."""
    done = browse(page, "--dump-dom")
    elements = Elements(done.stdout)

    assert elements.handlers == []
    assert not {"script", "img", "iframe", "object", "embed", "link", "a", "form", "input"} & elements.count.keys()
    assert elements.count["svg"] == Elements(page.read_text(encoding="utf-8")).count["svg"] > 0
    assert elements.count["style"] == 1
    assert HOSTILE[0] in elements.text
    assert HOSTILE[1] in elements.text
    assert "CONSOLE" not in done.stderr


def test_console_would_have_told(tmp_path: Path, browse: Browse) -> None:
    """The same browser does complain of a page that runs and loads what its policy forbids."""
    policy = "<meta http-equiv=content-security-policy content=\"default-src 'none'\">"
    bad = tmp_path / "bad.html"
    bad.write_text(f"<!doctype html>{policy}<script>document.title = 1</script><img src=http://203.0.113.1/x.png>")

    assert len(re.findall("CONSOLE.*Content Security Policy", browse(bad, "--dump-dom").stderr)) == 2


@pytest.mark.parametrize("width", [390, 1280])
def test_page_follows_day_and_night_at_every_width(width: int, page: Path, browse: Browse) -> None:
    """Ground and bars change their colours with the reader's preference, on a phone and on a desk."""
    html = page.read_text(encoding="utf-8")
    users = page.with_name("users.html")
    # What stands above would be all that is seen.
    users.write_text(html[: html.index("<header>")] + html[html.index('<section aria-labelledby="users"') :])
    day, night = browse.picture(users, width).colours(), browse.picture(users, width, DARK).colours()

    assert day.most_common(1)[0][0] == "ffffff"
    assert night.most_common(1)[0][0] == "11161c"
    # the bars of the sessions in and outside office hours
    assert min(day["2b6391"], day["c97a08"], night["62a3d4"], night["e2a23b"]) > width
    assert not {"2b6391", "ffffff"} & night.keys()


def test_page_prints_on_few_sheets(page: Path, browse: Browse, tmp_path: Path) -> None:
    """Printing gives a PDF of a few pages, light also by night."""
    file = tmp_path / "page.pdf"
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={file}", DARK)
    sheets = len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))

    assert 3 <= sheets <= 9
