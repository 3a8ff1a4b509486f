"""The pages of the list, of which one at a time is in hand: decoded, compared, flattened and written."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import orjson

from spsetl.appliance.client import Client
from spsetl.sync.turns import Turns


class Pages:
    """Asks for the pages of one window. While it waits for an answer, other windows have their turn.

    Python runs one thread at a time anyway; and a decoded page is ten times its size on the wire, so it is only decoded
    when all can be done with it.

    Args:
        client: The appliance.
        turns: Of all windows that are read side by side.
        number: Of this window: the lowest goes first.
    """

    def __init__(self, client: Client, turns: Turns, number: int) -> None:
        self._client = client
        self._turns = turns
        self._number = number
        self._has_turn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_turn()

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, kind: str) -> Any:
        """As `Client.get`. The turn lasts until the next page is asked for, or the block ends."""
        self._end_turn()
        return self._client.get(path, params, kind=kind, decode=self._decode)

    def _decode(self, body: bytes) -> Any:
        self._turns.take(self._number)
        self._has_turn = True
        try:
            return orjson.loads(body)
        except BaseException:  # it may be asked for again, after a wait
            self._end_turn()
            raise

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.hand_on()
