"""`spsetl doctor`: whether this set-up can work, and what the appliance can do."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from spsetl.cli.diagnosis import Diagnosis
from spsetl.cli.options import SyncOptions
from spsetl.cli.screen import plain
from spsetl.doctor import Finding, appliances_of_copy, examine
from spsetl.doctor.finding import red
from spsetl.errors import SettingsError

DEFAULTS = SyncOptions()


def doctor(*, options: SyncOptions = DEFAULTS, json: bool = False) -> int:
    """Check the settings, the way to the appliance, its login, rights and pace, the copy and what starts its syncs.

    Green, yellow and red, each with the next step; writes nothing. The exit code is that of the first red one, or 0.

    Args:
        options: Which appliance, and where the copy is.
        json: One JSON object on stdout.
    """
    findings = _examine_all(options)
    if json:
        answer = as_json(findings)
        print(orjson.dumps(answer).decode())
        return int(answer["exit_code"])
    diagnosis = Diagnosis(plain(sys.stdout))
    for appliance, finding in findings:
        diagnosis.show(appliance, finding)
    return diagnosis.finish()


def _examine_all(options: SyncOptions) -> Iterator[tuple[str, Finding]]:
    """The findings by appliance, each as soon as it is known."""
    try:
        every = options.load_all()
    except SettingsError as error:
        yield "", red("settings", error)
        return
    for settings in every:
        names: list[str | None] = [*appliances_of_copy(settings)]
        for of_copy in names or [None]:
            for finding in examine(settings, of_copy=of_copy):
                yield of_copy or settings.appliance or urlsplit(settings.url or "").hostname or "", finding


def as_json(findings: Iterable[tuple[str, Finding]]) -> dict[str, Any]:
    """All checks, and what follows from them."""
    checks = [{"appliance": appliance, **finding.as_json()} for appliance, finding in findings]
    states = {check["state"] for check in checks}
    return {
        "state": next((state for state in ("red", "yellow") if state in states), "green"),
        "exit_code": next((check["exit_code"] for check in checks if check["state"] == "red"), 0),
        "checks": checks,
    }
