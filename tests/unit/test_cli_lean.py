"""What a command does without."""

import subprocess
import sys

import pytest


def loaded_after(command: str) -> str:
    """Whether pandas is loaded, Arrow's allocator, and whether pandas can still be had, in a process of its own."""
    program = (
        f"from spsetl.cli.lean import spare_memory; spare_memory({command!r})\n"
        "import sys, pyarrow as pa\n"
        "pa.array([1]); early = 'pandas' in sys.modules\n"
        "import pandas, duckdb\n"
        "print(early, pa.default_memory_pool().backend_name, len(duckdb.sql('select 1').df()))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={}
    ).stdout.strip()


@pytest.mark.parametrize(("command", "is_loaded"), [("sync", False), ("backfill", False), ("sql", True)])
def test_fetching_loads_no_pandas(command: str, is_loaded: bool) -> None:
    """Arrow does not pull it in; and whoever asks for it gets it."""
    assert loaded_after(command) == f"{is_loaded} system 1"
