"""What the appliance can do: its version, its abilities, its clock."""

from collections.abc import Iterator
from typing import Final

from spsetl.doctor.appliance import Patient
from spsetl.doctor.finding import Finding

# The versions that the guides behind this program describe, or that an answer was captured of. An entry without a
# second number stands for all of that major version.
DOCUMENTED: Final = ("5", "6", "7", "8.0")
_MOST_SECONDS: Final = 60

_UNKNOWN: Final = "not known yet: no session could tell, or no sync has asked"
_READINGS: Final = {
    "literal": "sessions that started at or after start",
    "overlap": "sessions that were alive at or after start",
}


def check_version(patient: Patient) -> Iterator[Finding]:
    """Whether the firmware is one that this program was written for."""
    version = patient.version
    numbers = version.split(".")
    facts = {"firmware_version": version}
    if numbers[0] in DOCUMENTED or ".".join(numbers[:2]) in DOCUMENTED:
        yield Finding("version", "green", f"firmware {version}, a documented one", facts=facts)
        return
    text = f"firmware {version} is none of those that this program was written for ({', '.join(DOCUMENTED)})"
    advice = "look for a newer spsetl; what this one can do is asked, not assumed: compare with spsetl reconcile"
    yield Finding("version", "yellow", text, advice, facts=facts)


def check_clock(patient: Patient) -> Iterator[Finding]:
    """How far the appliance's clock is from ours, by the Date of its newest answer."""
    ahead = patient.client.clock_ahead
    facts = {"seconds_ahead": None if ahead is None else round(ahead)}
    if ahead is None:
        yield Finding("clock", "yellow", "the appliance's answers have no date", "compare both clocks by hand")
    elif abs(ahead) > _MOST_SECONDS:
        text = f"the appliance's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
        advice = "set both by NTP: the look-back and the watermark rest on it, and late sessions could be missed"
        yield Finding("clock", "yellow", text, advice, facts=facts)
    else:
        yield Finding("clock", "green", f"{abs(ahead):.0f} s from ours", facts=facts)


def check_abilities(patient: Patient) -> Iterator[Finding]:
    """What the appliance can do, and what spsetl does where it cannot."""
    found = patient.known
    answers: tuple[tuple[str, bool | None, str, str], ...] = (
        ("snapshots", patient.has_snapshots, "the list is read through a snapshot", "the list is read in windows"),
        ("_count", found.has_counts, "sessions are counted beyond 10000", "windows over 10000 are not counted"),
        ("revision", found.has_revision, "the list gives it by name", "a hash of each session stands in for it"),
        (
            "date ranges in q",
            found.has_date_ranges,
            "windows are counted exactly",
            "windows are counted only where start and end are literal",
        ),
        ("histogram", found.bin_size_parameter is not None, f"takes {found.bin_size_parameter}", "windows are guessed"),
    )
    for name, answer, yes, no in answers:
        yield _ability(name, answer, yes if answer else no)
    reading = found.reading
    yield _ability("start and end", True if reading else None, f"{reading}: {_READINGS.get(reading or '')}")


def _ability(name: str, answer: bool | None, text: str) -> Finding:
    facts = {"answer": answer}
    if answer is None:
        return Finding(name, "yellow", _UNKNOWN, "the first sync asks; run spsetl doctor again after it", facts=facts)
    advice = "" if answer else "nothing to do: spsetl does without; a newer firmware may have it"
    return Finding(name, "green" if answer else "yellow", text, advice, facts=facts)
