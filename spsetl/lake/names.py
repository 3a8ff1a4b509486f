"""Names of the lake's files and folders."""

import re
from hashlib import blake2b
from typing import Final

WHOLE: Final = ".parquet"
TEMPORARY: Final = ".tmp"

_LATE: Final = "late-"
_LONGEST_NAME: Final = 120
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]|^[._]")
_RUN_ID: Final = re.compile(r"([0-9]{4})(0[1-9]|1[0-2])[0-9]{2}T[0-9]+Z-")


def file_name(name: str) -> str:
    """The name as part of a path on any file system: other than letters, digits, `.`, `_` and `-` as %XX.

    A leading dot or underscore is quoted too: some readers skip such a name as hidden, and `..` is no name. A name that
    is too long is cut, and told apart by its hash.
    """
    quoted = (
        _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogateescape")), name)
        or "%"
    )
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    digest = blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{quoted[: _LONGEST_NAME - len(digest) - 1]}-{digest}"


def late_name(run_id: str) -> str:
    """The folder of a run that began in a month whose runs one file stands for already: no month's file does for it."""
    return f"{_LATE}{file_name(run_id)}"


def month_of(run_id: str) -> str | None:
    """The month (UTC) in which the run began, as `YYYY-MM`; None where the run's name does not begin with it."""
    found = _RUN_ID.match(run_id)
    return f"{found[1]}-{found[2]}" if found else None


def month_file(path: str) -> str | None:
    """The file that stands for all runs of a month, where it is there: that in which the run of this file began."""
    folder = folder_of(path)
    month = month_of(folder.rpartition("/")[2])
    return None if month is None else f"{folder_of(folder)}/{month}{WHOLE}"


def folder_of(path: str) -> str:
    """The folder of a file, in any storage."""
    return path.rpartition("/")[0]
