"""How each system is started for the same work."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.appliances import PASSWORD, USERNAME, Appliance
from tests.benchmarks.programs import ROOT, Program

OURS: Final = "spsetl"
DLT: Final = "dlt"
AIRBYTE: Final = "Airbyte CDK (reads only)"
SINGER: Final = "Singer + target-duckdb"
SCRIPT: Final = "requests, pandas, DuckDB"
BARE: Final = "bare requests (limit)"
DETAILS: Final = "channels,events,alerts"
RIVALS: Final = Path(__file__).with_name("rivals")
_ENVIRONMENTS: Final = ROOT / ".venv-rivals"


@dataclass(frozen=True)
class Work:
    """What is to be copied, and how."""

    appliance: Appliance
    folder: Path
    connections: int
    details: bool
    filters: Sequence[str] = ()
    verify: bool = False
    paths: Path | None = None

    @property
    def task(self) -> dict[str, Any]:
        """For a rival."""
        return {
            "url": self.appliance.url,
            "username": USERNAME,
            "password": PASSWORD,
            "folder": str(self.folder),
            "connections": self.connections,
            "filters": self.filters or self.appliance.filters(),
            "details": self.details,
            "verify": self.verify,
            "paths": str(self.paths),
        }

    def into(self, folder: Path) -> "Work":
        """The same into another folder."""
        return replace(self, folder=folder)


Start = Callable[[Work], Program]


def ours(work: Work, *arguments: str) -> Program:
    """`spsetl sync`, with defaults but for what the work says."""
    env = {
        "SPSETL_URL": work.appliance.url,
        "SPSETL_USERNAME": USERNAME,
        "SPSETL_PASSWORD": PASSWORD,
        "SPSETL_APPLIANCE": "sps",
        "SPSETL_DATA_DIR": str(work.folder / "data"),
        "SPSETL_CONCURRENCY": str(work.connections),
        "SPSETL_DETAILS": DETAILS if work.details else "none",
    }
    return Program(OURS, [[sys.executable, "-m", "spsetl", *(arguments or ("sync", "--json"))]], work.folder, env)


def with_dlt(work: Work) -> Program:
    """dlt, merged into DuckDB."""
    return Program(DLT, [_rival(work, "dlt", "with_dlt.py")], work.folder)


def with_airbyte(work: Work) -> Program:
    """The CDK, which only reads."""
    return Program(AIRBYTE, [_rival(work, "airbyte", "with_airbyte.py")], work.folder)


def with_singer(work: Work) -> Program:
    """A tap piped into target-duckdb."""
    copy = str(work.folder / "copy.duckdb")
    config = work.folder / "target.json"
    config.write_text(json.dumps({"path": copy, "filepath": copy, "default_target_schema": "sps"}), encoding="utf-8")
    target = [str(_ENVIRONMENTS / "singer/bin/target-duckdb"), "-c", str(config)]
    return Program(SINGER, [_rival(work, "singer", "tap_sps.py"), target], work.folder)


def script(work: Work) -> Program:
    """What people write."""
    return Program(SCRIPT, [_rival(work, "script", "script.py")], work.folder)


def bare(work: Work) -> Program:
    """The limit."""
    return Program(BARE, [[sys.executable, str(RIVALS / "bare.py"), _written(work)]], work.folder)


STARTS: Final[dict[str, Start]] = {
    OURS: ours,
    DLT: with_dlt,
    AIRBYTE: with_airbyte,
    SINGER: with_singer,
    SCRIPT: script,
    BARE: bare,
}


def _rival(work: Work, environment: str, program: str) -> list[str]:
    python = _ENVIRONMENTS / environment / "bin/python"
    if not python.exists():
        raise RuntimeError(f"{python} is missing: `make bench` makes it")
    return [str(python), str(RIVALS / program), _written(work)]


def _written(work: Work) -> str:
    path = work.folder / "task.json"
    path.write_text(json.dumps(work.task), encoding="utf-8")
    return str(path)
