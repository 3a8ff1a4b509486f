"""Disk space against what a day brings."""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from spsetl.doctor.copy import Copy, nearest
from spsetl.doctor.finding import Finding, red, yellow_if
from spsetl.errors import IncompleteError
from spsetl.settings import Settings
from spsetl.sync.data_dir import DataDir

_GIB: Final = 2**30
_LITTLE: Final = 2 * _GIB  # while nobody knows what a day brings
_NONE: Final = 2**27
_SOON: Final = 30  # days
_NOW: Final = 3
_ADVICE: Final = "free some, or move the copy to a larger disk and set SPSETL_DATA_DIR: spsetl compact helps the lake"


def check_disk(settings: Settings, copy: Copy) -> Finding:
    """Days until the disk is full: what is free, less the copy that publishing makes, by what a day brings.

    A day brings as many bytes a session as the whole copy has: every version of the lake, and both warehouses. Nobody
    knows how many sessions before there were syncs of a day.
    """
    free = shutil.disk_usage(nearest(settings.data_dir)).free
    size, reserve = _size(settings.data_dir), _size(DataDir.of(settings.data_dir).work)
    usable, growth = max(free - reserve, 0), size * copy.growth if copy.growth else None
    days = usable / growth if growth else None
    text = f"{_gib(free)} free, {_gib(reserve)} of it for publishing, the copy has {_gib(size)}"
    text += f" and grows by {_gib(growth)} a day: full in {days:,.0f} days" if growth and days is not None else ""
    facts: dict[str, Any] = {"free": free, "copy": size, "reserve": reserve, "bytes_per_day": growth}
    facts["days_left"] = None if days is None else round(days, 1)
    if usable < _NONE or (days is not None and days < _NOW):
        return red("disk space", IncompleteError(f"{text}; {_ADVICE}"), **facts)
    return yellow_if(usable < _LITTLE if days is None else days < _SOON, "disk space", text, _ADVICE, **facts)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; files may vanish meanwhile."""
    total = path.stat().st_size if os.access(path, os.F_OK) and path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118 - many
            except OSError:
                continue
    return total


def _gib(size: float) -> str:
    return f"{size / _GIB:,.1f} GiB" if size >= _GIB / 10 else f"{size / 2**20:,.1f} MiB"
