"""The questions of README and sql/QUESTIONS.md with their answers: `python -m tests.answers demo-data` writes them."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.queries import read_statement
from tests.readme import README, ROOT

QUESTIONS: Final = (
    "top_users",
    "failed_logins",
    "sessions_outside_hours",
    "riskiest_sessions",
    "privileged_commands",
    "alerts_by_rule",
    "file_transfers",
    "new_user_server_pairs",
    "longest_and_open_sessions",
    "indexing_backlog",
)
QUESTIONS_PAGE: Final = ROOT / "sql" / "QUESTIONS.md"
IN_README: Final = ("top_users", "failed_logins", "riskiest_sessions", "privileged_commands", "file_transfers")
START, END = "<!-- questions: start -->", "<!-- questions: end -->"
ROWS_SHOWN: Final = 3


def question_as_markdown(number: int, name: str) -> str:
    """The question with its SQL, as its file has it."""
    first, _, statement = read_statement("questions", name).partition("\n")
    title = first.removeprefix("-- ").partition(":")[0]
    return f"{number}. **{title}** (`sql/questions/{name}.sql`)\n\n```sql\n{statement.strip()}\n```\n"


def answer_as_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The first rows as a table."""
    lines = [columns, ["---"] * len(columns), *rows[:ROWS_SHOWN]]
    return "\n".join("| " + " | ".join(as_cell(value) for value in line) + " |" for line in lines) + "\n"


def as_cell(value: Any) -> str:
    """A value as one cell; times to the second, to be readable."""
    if isinstance(value, datetime):
        value = value.replace(microsecond=0)
    return "" if value is None else str(value).replace("|", "\\|")


def with_answers(text: str, warehouse: Warehouse) -> str:
    """The text with every question and its answer between the two marks, in the place of what stood there."""
    parts = []
    for number, name in enumerate(QUESTIONS, 1):
        columns, rows = warehouse.rows(read_statement("questions", name))
        parts.append(f"{question_as_markdown(number, name)}\n{answer_as_markdown(columns, rows)}")
    return _between_marks(text, "\n".join(parts))


def with_five(text: str, warehouse: Warehouse) -> str:
    """The same of five questions, with the command in place of the SQL."""
    parts = []
    for name in IN_README:
        columns, rows = warehouse.rows(read_statement("questions", name))
        title = read_statement("questions", name).partition(":")[0].removeprefix("-- ")
        command = f"    spsetl sql --file sql/questions/{name}.sql"
        parts.append(f"**{title}**\n\n{command}\n\n{answer_as_markdown(columns, rows[:2])}")
    return _between_marks(text, "\n".join(parts))


def _between_marks(text: str, part: str) -> str:
    before, after = text.partition(START)[0], text.partition(END)[2]
    return f"{before}{START}\n\n{part}\n{END}{after}"


def write(data_dir: Path) -> None:
    """Ask every question, and put the answers into the two pages."""
    with open_warehouse(data_dir) as warehouse:
        for page, answer in ((QUESTIONS_PAGE, with_answers), (README, with_five)):
            page.write_text(answer(page.read_text(encoding="utf-8"), warehouse), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
