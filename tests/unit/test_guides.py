"""What the guides name is there: error lines, exit codes, commands, options, settings, metrics, links."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cyclopts import App

from flows.deploy import app as deploy
from spsetl import errors
from spsetl.cli import INTERRUPTED, app
from spsetl.metrics import FAMILIES
from spsetl.settings import describe_settings

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENTS: Final = ROOT / "deployments"
GUIDES: Final = [ROOT / "README.md", *sorted(DEPLOYMENTS.rglob("*.md"))]
OWN: Final = sorted(DEPLOYMENTS.glob("*.md"))
TROUBLE: Final = (DEPLOYMENTS / "troubleshooting.md").read_text("utf-8")
MONITORING: Final = (DEPLOYMENTS / "monitoring.md").read_text("utf-8")
CODES: Final = {one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)}
PLACE: Final = "\0"  # in a message, what differs from one time to the next


def relative(path: Path) -> str:
    """The path as a person names it."""
    return path.relative_to(ROOT).as_posix()


def messages() -> Iterator[str]:
    """Every text of the code that could be a line for a person, with `PLACE` for what is filled in."""
    for path in [*sorted((ROOT / "spsetl").rglob("*.py")), *sorted((ROOT / "flows").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(one.value) if isinstance(one, ast.Constant) else PLACE for one in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield re.sub(r"\{[\w:]*\}", PLACE, node.value)


def quoted_lines() -> list[tuple[str, str]]:
    """The exit code of the section, and each line that the guide quotes."""
    found = []
    for section in TROUBLE.split("\n## ")[1:]:
        code = re.match(r"Exit code (\d+)", section)
        found += [(code[1], line) for line in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) if code]
    return found


def option_names(program: App) -> set[str]:
    """All options of a command."""
    return {"--help"} | {name for one in program.assemble_argument_collection() if one.show for name in one.names}


def commands_of(text: str) -> Iterator[list[str]]:
    """Each `spsetl COMMAND …` of the guide, in a block or in a line, as its words."""
    for line in re.findall(r"(?:\.venv/bin/|`|worker )spsetl ((?:[a-z]+|--version)(?: [^`\n|#]*)?)", text):
        try:
            yield shlex.split(line)
        except ValueError:
            yield line.split()


@pytest.mark.parametrize("code", sorted({*CODES, INTERRUPTED}))
def test_each_exit_code_has_its_section(code: int) -> None:
    """The guide to troubles has a section for each exit code, and the one to monitoring a line."""
    assert f"\n## Exit code {code}:" in TROUBLE
    assert f"\n| {code} | " in MONITORING


def test_quoted_error_lines_are_those_of_the_code() -> None:
    """Every line that the guide to troubles quotes is one that the code says, word by word."""
    known = list(messages())
    lines = quoted_lines()
    unknown = []
    for _, line in lines:
        pattern = ".*".join(re.escape(part) for part in re.split(r"\s?…\s?", line))
        if not any(re.search(pattern, text, re.DOTALL) for text in known):
            unknown.append(line)
    assert {code for code, _ in lines} == {str(code) for code in {*CODES, INTERRUPTED} - {0}}
    assert unknown == []


@pytest.mark.parametrize("guide", GUIDES, ids=relative)
def test_commands_and_options_exist(guide: Path) -> None:
    """Each command of spsetl that a guide names exists, and has the options that stand behind it."""
    wrong = []
    for command, *words in commands_of(guide.read_text("utf-8")):
        if command == "--version":
            continue
        if command not in app:
            wrong.append(command)
            continue
        options = option_names(app[command])
        wrong += [f"{command} {word}" for word in words if word.startswith("--") and word not in options]
    assert wrong == []


def test_commands_of_the_guides_are_found() -> None:
    """The rule above is about something: these stand in the guides, with an option or two."""
    found = {tuple(words) for guide in OWN for words in commands_of(guide.read_text("utf-8"))}
    assert {("sync", "--dry-run"), ("status", "--max-age", "26"), ("doctor", "--appliance", "west")} <= found


@pytest.mark.parametrize("guide", GUIDES, ids=relative)
def test_deploy_options_exist(guide: Path) -> None:
    """Each option behind `flows.deploy` is one of it."""
    named = re.findall(r"flows\.deploy([^\n`]*)", guide.read_text("utf-8"))
    options = option_names(deploy)
    assert {one for text in named for one in re.findall(r"--[a-z-]+", text)} <= options


@pytest.mark.parametrize("guide", GUIDES, ids=relative)
def test_settings_of_toml_blocks_exist(guide: Path) -> None:
    """Each name in a block of spsetl.toml is a setting."""
    known = {one.variable.removeprefix("SPSETL_").lower() for one in describe_settings()}
    blocks = re.findall(r"```toml\n(.*?)```", guide.read_text("utf-8"), re.DOTALL)
    assert {name for block in blocks for name in re.findall(r"^(\w+) =", block, re.MULTILINE)} <= known


@pytest.mark.parametrize("guide", GUIDES, ids=relative)
def test_links_lead_somewhere(guide: Path) -> None:
    """Each relative link resolves, and each file of the checkout that a command runs is there."""
    text = guide.read_text("utf-8")
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    files = re.findall(r"(?<![\w/.-])(deployments/[\w./-]*\w)", text)
    broken = [target for target in links if not (guide.parent / target).exists()]
    assert broken + [name for name in files if not (ROOT / name).exists()] == []


def test_quoted_sections_exist() -> None:
    """Where a guide sends to a section of another, the section is there."""
    missing = []
    for guide in OWN:
        for target, title in re.findall(r'\]\(([\w/.-]+\.md)\), "([^"]+)"', guide.read_text("utf-8")):
            if f"\n## {title}" not in re.sub(r"## \d+\. ", "## ", (guide.parent / target).read_text("utf-8")):
                missing.append(f"{guide.name}: {target}, {title}")
    assert missing == []


def test_index_names_each_guide() -> None:
    """The index leads to every guide beside it, and to every folder that has one."""
    index = (DEPLOYMENTS / "README.md").read_text("utf-8")
    expected = {path.name for path in OWN} - {"README.md"}
    expected |= {relative(path).removeprefix("deployments/") for path in DEPLOYMENTS.glob("*/README.md")}
    assert {name for name in expected if f"]({name})" not in index} == set()


def test_every_metric_is_explained() -> None:
    """The table of metrics has those of the metrics file, each once, and no other; the OpenTelemetry ones are named."""
    named = re.findall(r"^\| `(spsetl_\w+)` \|", MONITORING, re.MULTILINE)
    assert sorted(named) == sorted(FAMILIES)
    source = (ROOT / "spsetl" / "telemetry.py").read_text("utf-8")
    instruments = re.findall(r'create_\w+\("([\w.]+)"', source)
    assert instruments
    assert {name for name in instruments if f"`{name}`" not in MONITORING} == set()


@pytest.mark.parametrize("name", ["monitoring.md", "backfill.md"])
def test_fields_of_the_status_exist(name: str) -> None:
    """What the guides say stands in `status --json` does."""
    known = "".join(path.read_text("utf-8") for path in (ROOT / "spsetl" / "sync").glob("*.py"))
    known += (ROOT / "spsetl" / "runs.py").read_text("utf-8")
    known += (ROOT / "sql" / "status" / "copy_status.sql").read_text("utf-8")
    text = (DEPLOYMENTS / name).read_text("utf-8")
    named = set(re.findall(r"`((?:sessions|windows|missing|quarantined|last|age|published|is)_\w+)`", text))
    assert named
    assert {field for field in named if not re.search(rf"\b{field}\b", known)} == set()


@pytest.mark.parametrize("guide", OWN, ids=relative)
def test_shell_blocks_are_shell(guide: Path) -> None:
    """Every block of commands is understood by the shell."""
    for block in re.findall(r"```sh\n(.*?)```", guide.read_text("utf-8"), re.DOTALL):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
