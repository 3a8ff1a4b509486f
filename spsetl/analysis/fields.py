"""The fields of a session that an analysis can ask for, in every spelling that the appliance has had."""

import re
from functools import cache
from typing import Final

from spsetl.analysis.source import check_choice
from spsetl.schema import SCORE_DETAILS, SESSIONS

_ALGORITHM: Final = re.compile(re.escape(SCORE_DETAILS) + r"\..+\.score")


@cache
def known_fields() -> tuple[str, ...]:
    """Every path of the API, its older spellings, and the columns of `sessions`, each once."""
    names = (name for column in SESSIONS.columns for name in (column.path, *column.aliases, column.name) if name)
    return tuple(dict.fromkeys(names))


def check_field(field: str) -> None:
    """Refuse a field that no session has.

    A path of the API, for example `recording.connection_policy`, an older spelling (`psm.connection_policy`), a column
    of `sessions` (`recording_connection_policy`), or `analytics.score.details.<algorithm>.score`.

    Raises:
        UsageError: It is none of these; the message names the nearest known one.
    """
    if not _ALGORITHM.fullmatch(field):
        check_choice("field", field, known_fields(), listed=False)
