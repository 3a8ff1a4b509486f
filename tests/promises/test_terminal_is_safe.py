"""What sessions hold commands neither a terminal nor a spreadsheet; data in files and pipes is exact."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spsetl.cli.output import csv_lines
from spsetl.simulator import Simulator, World, WorldSpec
from tests.soak.programs import environment
from tests.syncing import sync

# A title, hidden text, a line over another, C1's CSI, marks of direction, DEL, a line of paragraph.
EVIL = "a\x1b]0;pwned\x07\x1b[8mhid\r\x9b31mb\u202ec\u2066d\u2069e\u200ef\u200fg\u061ch\x7fi\x00\u2028j"
SEQUENCES = re.compile(
    "\x1b\\]|\x1b\\[8m|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
# What a terminal driver makes of a newline, and what we write ourselves: colours, and the cursor of progress bars.
OURS = re.compile("\r\n|\x1b\\[[0-9;]*[mKAJ]|\x1b\\[\\?25[hl]|\r")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Path]]:
    """A copy whose sessions hold all that could harm."""
    folder = tmp_path_factory.mktemp("copy")
    world = World(WorldSpec(sessions=30, days=3))
    for key in list(world.keys())[:3]:
        world.change(key, {"user.name": EVIL, "recording.connection_policy": EVIL})
    with Simulator(world) as simulator:
        sync(simulator, folder, details="none")
        yield simulator, folder


def on_terminal(arguments: list[str], env: dict[str, str], **how: Any) -> str:
    """What a terminal of its own gets of a command, both of its streams."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "spsetl", *arguments],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env | {"TERM": "xterm", "COLUMNS": "300"}, **how,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:  # Linux says so that nobody has the other side open
            pass
        finally:
            os.close(ours)
        process.wait(60)
    return shown.decode()


QUESTION = "select user_name, recording_connection_policy as p from sessions where user_name like '%pwned%'"
SHOWING = [
    *(["sql", QUESTION, "--format", form] for form in ("table", "csv", "jsonl")),
    ["search", "--format", "csv", "--columns", "user_name"],
    ["sql", QUESTION, "--format", "csv", "--raw"],
    ["sql", QUESTION, "--format", "csv", "-o", "/dev/stdout"],
    ["stats", "user.name", "--format", "table"],
    ["stats", "user.name", "--format", "json"],
    ["sql", f'select 1 as "{EVIL.replace(chr(0), "")}"'],
    ["sql", f'select 1 as "{EVIL.replace(chr(0), "")}"', "--format", "csv"],
    ["sql", "select error(user_name) from sessions where user_name like '%pwned%'"],
    ["sql", f'select "{EVIL.replace(chr(0), "")}" from sessions'],
    ["search", f"{EVIL.replace(chr(0), '')}:1"],
    ["stats", EVIL.replace("\0", "")],
    ["sql", "--file", EVIL.replace("\0", "")],
    ["status", "--data-dir", EVIL.replace("\0", "")],
    ["doctor", "--data-dir", EVIL.replace("\0", "")],
    [EVIL.replace("\0", "")],
]


@pytest.mark.parametrize(
    "arguments", SHOWING, ids=lambda arguments: " ".join(arguments[:4]).encode("unicode_escape").decode()[:60]
)
def test_no_command_lets_it_through(arguments: list[str], copy: tuple[Simulator, Path]) -> None:
    """Escaped, so that it is seen that something is there."""
    simulator, folder = copy
    shown = on_terminal(arguments, environment(simulator, folder), cwd=folder)
    assert shown
    assert SEQUENCES.findall(OURS.sub("", shown)) == []
    assert "\x1b[8m" not in shown
    assert "Traceback" not in shown
    assert "\\x1b" in shown or "\\u001b" in shown


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_where_nobody_looks_data_is_exact(form: str, copy: tuple[Simulator, Path]) -> None:
    """In a pipe and in a file."""
    simulator, folder = copy
    arguments = [sys.executable, "-m", "spsetl", "sql", QUESTION, "--format", form]
    env = environment(simulator, folder)
    done = subprocess.run(arguments, env=env, capture_output=True, check=True, timeout=60, cwd=folder)
    subprocess.run([*arguments, "-o", str(folder / "out")], env=env, check=True, timeout=60, cwd=folder)
    assert (folder / "out").read_bytes() == done.stdout
    text = done.stdout.decode()
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text.replace("\0", "\N{SYMBOL FOR NULL}"), newline="")))
        assert rows[1][0].replace("\N{SYMBOL FOR NULL}", "\0") == EVIL
    else:
        assert json.loads(text.split("\n")[0])["user_name"] == EVIL


def test_a_defect_and_a_warning_do_not_either(copy: tuple[Simulator, Path], tmp_path: Path) -> None:
    """A traceback may hold what an appliance has sent; so may a line above the bars, and what an appliance says."""
    simulator, _ = copy
    program = (
        "import sys\n"
        "from spsetl.cli import main, sync\n"
        "from spsetl.sync import job\n"
        f"evil = {EVIL!r}\n"
        "make = job.Job._remarks\n"
        "job.Job._remarks = lambda self: [evil, *make(self)]\n"
        "def fail(run):\n"
        "    raise ValueError(evil)\n"
        "sync.summarize = fail\n"
        "sys.argv[1:] = ['sync', '--details', 'none']\n"
        "main()\n"
    )
    (tmp_path / "program.py").write_text(program)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env=environment(simulator, tmp_path / "data") | {"TERM": "xterm"}, cwd=tmp_path,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:
            pass
        os.close(ours)
        assert process.wait(60) == 1
    text = shown.decode()
    assert "ValueError: a\\x1b]0;pwned" in text
    assert "warning: a\\x1b]0;pwned" in text.replace("\r\n", "")
    assert SEQUENCES.findall(OURS.sub("", text)) == []
    assert "\x1b[8m" not in text


def test_help_is_as_colourful_as_ever(copy: tuple[Simulator, Path]) -> None:
    """What is ours commands the terminal still, and in no pieces."""
    simulator, folder = copy
    for arguments in (["--help"], ["sync", "--help"], ["--version"], ["status"], ["doctor", "--data-dir", "none"]):
        shown = on_terminal(arguments, environment(simulator, folder), cwd=folder)
        assert "\\x1b" not in shown


# A spreadsheet's view


def cells_of(text: str, separator: str) -> list[str]:
    """The cells that a spreadsheet sees which splits lines there; a quote counts at the beginning of a cell alone."""
    return [
        cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=False) for cell in row
    ]


HOSTILE = [
    "a;=cmd()", "a;  =cmd()", 'a;"=cmd()"', "a\t=cmd()", "a;\t+1", "x;-2+3", "x;@sum(1)", "a\n=cmd()", "a\r=cmd()",
    ";=1", "\t=1", "a,b;=1", 'a"b;=1', "a;\u200b=1", "a;\uff1d1", 'a";"=1', "a;;;=1",
    'a;""=1', '";=1', "a;\n=1", "a;'=1;=2",
]  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_locale_makes_a_formula_of_a_cell(text: str, separator: str) -> None:
    """Wherever the cell stands in its line, alone or in a list."""
    for value in (text, [text], {"a": text}):
        for row in ([value], ["x", value], [value, "y"], [1, value, 2], [text, value]):
            for cell in cells_of(csv_lines([row]), separator):
                assert not re.match('[\\s\u200b"]*[=+@＝-]', cell) or re.fullmatch("-?[0-9.]+", cell), (row, cell)  # noqa: RUF001


def test_raw_is_raw_and_plain_text_stays(copy: tuple[Simulator, Path]) -> None:
    """Nothing is added where no formula is near."""
    for text in HOSTILE:
        assert list(csv.reader(io.StringIO(csv_lines([["x", text]], raw=True), newline=""))) == [["x", text]]
    for text in ("a;b", "a; b-c", "1;2", "a\tb", "x = 1", "a-b;c=d"):
        assert list(csv.reader(io.StringIO(csv_lines([["x", text]]), newline=""))) == [["x", text]]
