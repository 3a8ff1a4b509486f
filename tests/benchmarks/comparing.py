"""The same work by several systems in turn, each from an empty folder, and their copies compared with the world."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.benchmarks.contents import Contents, contents_of, truth_contents
from tests.benchmarks.programs import Measured, Program, fresh, run
from tests.benchmarks.systems import AIRBYTE, BARE, OURS, STARTS, Work


def compare(
    work: Work, systems: Sequence[str], turns: Iterable[int], fewer: Mapping[str, int] | None = None
) -> list[Measured]:
    """Run each in turn, so many times.

    Args:
        work: What to do.
        systems: Which, by their names.
        turns: The rounds.
        fewer: Systems that are too slow to be run so often.
    """
    truth = prepare_truth(work)
    measured = {name: Measured(name) for name in systems}
    verify_reader(work, measured, truth)
    for number in turns:
        for name in systems:
            if number >= (fewer or {}).get(name, number + 1):
                continue
            folder = fresh(work.folder / "copy")
            measured[name].samples.append(run(STARTS[name](work.into(folder)), work.appliance))
            if name not in {BARE, AIRBYTE}:
                note_contents(measured[name], contents_of(name, folder, details=work.details), truth)
    return list(measured.values())


def prepare_truth(work: Work) -> Contents:
    """What every copy is to hold."""
    folder = fresh(work.folder / "truth")
    work.appliance.order("truth", folder=str(folder), details=work.details)
    return truth_contents(folder)


def verify_reader(work: Work, measured: Mapping[str, Measured], truth: Contents) -> None:
    """What only reads is compared once, by what it writes down in a run that is not counted."""
    if AIRBYTE not in measured:
        return
    folder = fresh(work.folder / "copy")
    checked = Work(work.appliance, folder, work.connections, work.details, work.filters, verify=True)
    run(STARTS[AIRBYTE](checked), work.appliance)
    note_contents(measured[AIRBYTE], contents_of(AIRBYTE, folder, details=work.details), truth)


def note_contents(measured: Measured, found: Contents, truth: Contents) -> None:
    """Rows and checksums, and whether they are the world's; a difference once seen stays."""
    wrong = [table for table in truth if found.get(table) != truth[table]]
    summary = ", ".join(f"{rows:,}" for rows, _ in found.values())
    state = "equal" if not wrong else "DIFFERENT in " + ", ".join(wrong)
    if measured.contents.get("is_equal", True):
        tables: dict[str, Any] = {name: {"rows": rows, "checksum": mark} for name, (rows, mark) in found.items()}
        measured.contents = {"is_equal": not wrong, "summary": f"{summary}: {state}", "tables": tables}


def by_name(measured: Sequence[Measured]) -> dict[str, Measured]:
    """The runs by system."""
    return {one.name: one for one in measured}


def record_paths(work: Work, folder: Path) -> tuple[Path, Path]:
    """Files of the requests that the bare loop sends: the pages of the list, and our requests for details."""
    work.appliance.order("record")
    run(STARTS[OURS](work.into(fresh(folder / "recorded"))), work.appliance)
    details = folder / "details.paths"
    work.appliance.order("record", path=str(details))
    return write_pages(work, folder), details


def write_pages(work: Work, folder: Path) -> Path:
    """The pages of the list, by the windows that the rivals have."""
    counts = work.appliance.order("counts", filters=list(work.task["filters"]))
    pages = folder / "list.paths"
    pages.write_text("".join(f"{path}\n" for path in _page_paths(work.task["filters"], counts)), encoding="utf-8")
    return pages


def _page_paths(filters: Sequence[str], counts: Sequence[int]) -> list[str]:
    return [
        f"/api/audit/sessions?fields=*,revision&sort=start_time&limit=500&offset={offset}&q={quote(query)}"
        for query, count in zip(filters, counts, strict=True)
        for offset in range(0, max(1, count), 500)
    ]


def limit_program(work: Work, paths: Path) -> Program:
    """The bare loop over a file of paths."""
    return STARTS[BARE](Work(work.appliance, work.folder, work.connections, work.details, paths=paths))


def simulator_limit(bare: Measured) -> str:
    """What the simulated appliance alone could do: the bare loop's requests by the CPU that it used for them."""
    used = sum(sample.simulator_seconds for sample in bare.samples)
    requests = sum(sample.requests.total() for sample in bare.samples)
    return f"{requests / used:,.0f} requests/s" if used else "too little to measure"
