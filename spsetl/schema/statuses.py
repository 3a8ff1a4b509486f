"""What `sessions.<kind>_status` says of a session's details."""

from typing import Final

PENDING: Final = "pending"
FETCHED: Final = "fetched"
NOT_INDEXED: Final = "not_indexed"
GONE: Final = "gone"
NOT_REQUESTED: Final = "not_requested"
