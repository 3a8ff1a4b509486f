"""How far a session's details of a kind are, and what became of asking for them."""

from typing import Final

PENDING: Final = "pending"
FETCHED: Final = "fetched"
NOT_INDEXED: Final = "not_indexed"
GONE: Final = "gone"
NOT_REQUESTED: Final = "not_requested"

# How asking can end besides FETCHED and GONE, which settle it; until then it is asked for again.
FAILED: Final = "failed"
ABSENT: Final = "absent"
VANISHED: Final = "vanished"

# Nothing was asked for: rows were read out of quarantine, and stand in the part beside those of the last fetch.
REPLAYED: Final = "replayed"
