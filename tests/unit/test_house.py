"""The rules of the house that no linter knows: what the documents say is what the code does."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cyclopts import App

from spsetl import __version__, errors
from spsetl.cli import app, run
from spsetl.settings import describe_settings
from tests.readme import DATA_PAGE, PARTS, README, described_columns, read_examples, with_parts

ROOT: Final = Path(__file__).parents[2]
NOT_OURS: Final = {"demo-data", "data", "dist", "spsetl.toml", "spsetl-ca.pem", "__pycache__"}
COMMANDS_PAGE: Final = ROOT / "deployments" / "commands.md"
MOST_WORDS: Final = 1500
LONGEST_MODULE, LONGEST_TEST_MODULE, LONGEST_FUNCTION = 500, 500, 50
LONG_WITH_REASON: Final[dict[str, str]] = {}
LONGEST_SQL_IN_PYTHON: Final = 4
SQL_BEGINS: Final = re.compile(r"\s*(--|(with|select|insert|update|delete|create|merge|copy|from|drop|alter|attach)\b)")
LONG_SQL_WITH_REASON: Final = {"spsetl/warehouse/views.py"}  # made of the kinds of details
OF_THE_DEPLOYMENT: Final = {f"SPSETL_{name}" for name in ("HOME", "CRON", "TIME_ZONE", "NOTIFY")}  # flows.deploy's
# Escaped, so that this file does not name them itself.
REGISTRY_HOSTS: Final = re.compile(r"pypi\.org|pypi\.python\.org|pythonhosted\.org|anaconda\.org|ghcr\.io|docker\.io")


def house_files(*endings: str) -> list[Path]:
    """The text files of the project, without what `make` makes."""
    return [path for path in _walk(ROOT) if not endings or path.suffix in endings]


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if (
            path.name in NOT_OURS
            or path == ROOT / "build"
            or (path.name.startswith(".") and path.name not in {".ci", ".gitignore"})
        ):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif b"\0" not in path.read_bytes()[:1024]:
            yield path


def relative(path: Path) -> str:
    """The path as a person names it."""
    return path.relative_to(ROOT).as_posix()


PYTHON_FILES: Final = house_files(".py")
SQL_FILES: Final = house_files(".sql")
COMMANDS: Final = [name for name in app if not name.startswith("-")]


@pytest.fixture(scope="module")
def readme() -> str:
    """The whole README."""
    return README.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", PARTS, ids=relative)
def test_document_says_what_the_code_says(document: Path) -> None:
    """Tables, marts, settings and questions of the documents are those of the code; `make readme` writes them."""
    assert document.read_text(encoding="utf-8") == with_parts(document)


def test_every_column_is_described_with_an_example() -> None:
    """No table, mart or column is without its meaning and an example, and no example without its column."""
    page = DATA_PAGE.read_text(encoding="utf-8")
    examples = {(table, column): text for table, some in read_examples().items() for column, text in some.items()}
    described = list(described_columns())

    assert sorted(examples) == sorted(described)
    assert [place for place, text in examples.items() if not text.strip()] == []
    assert [table for table, _ in described if f"### `{table}`" not in page] == []


def test_glossary_explains_the_words_of_the_data() -> None:
    """Each noun that the tables are named by is in the glossary, in alphabetical order."""
    page = DATA_PAGE.read_text(encoding="utf-8")
    words = re.findall(r"^\| ([a-z][a-z -]+) \|", page.partition("## Words")[2].partition("\n## ")[0], re.MULTILINE)[1:]
    nouns = {"session", "channel", "event", "alert", "appliance", "quarantine", "recording", "risk score", "run"}
    nouns |= {"window", "mart", "lake", "warehouse", "look-back", "watermark", "checkpoint", "snapshot", "sweep"}

    assert words == sorted(words)
    assert nouns <= set(words)


def test_no_file_speaks_of_a_setting_that_does_not_exist() -> None:
    """Every SPSETL_ variable that a document, a command's help or a deployment names is a setting."""
    known = {setting.variable for setting in describe_settings()} | OF_THE_DEPLOYMENT
    places = [path for path in house_files() if not relative(path).startswith("tests/")]
    named = {
        (relative(path), variable)
        for path in places
        for variable in re.findall(r"\bSPSETL_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }

    assert {place for place in named if place[1] not in known} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_in_the_readme(command: str, readme: str) -> None:
    """The README names each command as a person types it; all that it can is on a page of its own."""
    assert re.search(rf"`spsetl {command}\b|^    spsetl {command}\b", readme, re.MULTILINE)
    assert re.search(rf"^\| `{command}\b", COMMANDS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_readme_is_short(readme: str) -> None:
    """What it leads to has the rest."""
    assert len(readme.split()) <= MOST_WORDS


@pytest.mark.parametrize("command", COMMANDS)
def test_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what the command does, and what each of its options means."""
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    program = app[command]
    assert isinstance(program, App)
    undescribed = [
        str(one.name)
        for one in program.assemble_argument_collection(parse_docstring=True)
        if one.show and not one.parameter.help
    ]

    assert program.help.strip()
    assert program.help.split()[0] in shown
    assert undescribed == []


def test_errors_are_drawn_with_their_exit_codes() -> None:
    """The tree in the docstring of the errors has each class once, with the exit code it really has."""
    drawn = re.findall(r"(\w+Error)\s+(\d)  ", errors.__doc__ or "")
    defined = {
        name: thing.exit_code
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.SpsetlError)
    }

    assert len(drawn) == len(defined)
    assert {name: int(code) for name, code in drawn} == defined


@pytest.mark.parametrize("path", SQL_FILES, ids=relative)
def test_sql_file_says_what_its_rows_are(path: Path) -> None:
    """The first line of each SQL file is a comment that says what one row, or one value of a macro, stands for."""
    text = path.read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    rows = r"one row per \w"
    if relative(path).startswith("sql/checks/"):
        rows = r"^-- (fatal|warning): offending rows are \w"
    elif "create or replace macro" in text and " as table (" not in text:
        rows = r"one \w+ per \w"

    assert first.startswith("-- ")
    assert re.search(rows, first, re.IGNORECASE)


def sql_in_python(path: Path) -> set[tuple[int, int]]:
    """The texts of a module that are SQL: the first line of each, and how many lines it has."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values = node.values if isinstance(node, ast.JoinedStr) else [node]
        pieces = [str(value.value) if isinstance(value, ast.Constant) else "" for value in values]
        if isinstance(node, ast.JoinedStr | ast.Constant) and SQL_BEGINS.match("".join(pieces)):
            found.add((node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
    return found


@pytest.mark.parametrize(
    "path", [p for p in PYTHON_FILES if relative(p).startswith(("spsetl/", "flows/"))], ids=relative
)
def test_long_sql_is_in_a_file_of_its_own(path: Path) -> None:
    """What is over four lines lies below sql/, where sqlfluff and people look for it, in the folder of who asks."""
    too_long = [first for first, lines in sql_in_python(path) if lines > LONGEST_SQL_IN_PYTHON]

    assert too_long == [] or relative(path) in LONG_SQL_WITH_REASON


def test_sql_in_python_is_found(tmp_path: Path) -> None:
    """In one text, in texts side by side, and with values put in; a docstring is none."""
    module = tmp_path / "module.py"
    module.write_text(
        '"""Select what\nis\nbest."""\n'
        'run("""\n    with a as (\n        from b\n    )\n    from a\n""")\n'
        'run(\n    "select 1 "\n    "from a"\n)\n'
        'run(f"delete from {a} "\n    f"where {b}")\n',
        encoding="utf-8",
    )

    assert sql_in_python(module) == {(4, 6), (11, 2), (14, 2)}


def test_there_are_sql_files() -> None:
    """The rule above is about something."""
    assert SQL_FILES


@pytest.mark.parametrize("path", PYTHON_FILES, ids=relative)
def test_python_file_stays_readable(path: Path) -> None:
    """No module is over 300 lines without a reason, no module of tests over 400, and no function over 50."""
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]

    limit = LONGEST_TEST_MODULE if relative(path).startswith("tests/") else LONGEST_MODULE
    assert too_long == []
    assert text.count("\n") <= limit or relative(path) in LONG_WITH_REASON


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the machine's own setting: no file here names a registry's host."""
    naming = [relative(path) for path in house_files() if REGISTRY_HOSTS.search(path.read_text(encoding="utf-8"))]

    assert naming == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout knows what git leaves out")
def test_git_leaves_out_no_file_of_the_project() -> None:
    """A pattern of .gitignore that is too broad is seen by nobody but the next who clones."""
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    paths = "\n".join(str(path.relative_to(ROOT)) for path in house_files())
    ignored = subprocess.run(command, cwd=ROOT, input=paths, capture_output=True, text=True, check=False)
    assert (ignored.returncode, ignored.stdout, ignored.stderr) == (1, "", "")


def test_version_is_the_same_everywhere() -> None:
    """What `spsetl --version` says is the version of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert __version__ == project["version"]


def test_make_help_names_every_target() -> None:
    """`make help` speaks of each target that the Makefile offers."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)) - {"help"}

    assert targets == set(re.findall(r'@echo "make ([a-z-]+) ', text))
