"""One recording on its way to a file: what has come of it, and how to go on after a break ("Download audit trails").

The guide does not say whether a part of a recording can be asked for. So it is asked for only where an answer came with
an ETag, and only on the condition that the recording is still the same (RFC 9110, 13.1.5); else it begins anew.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice
from typing import BinaryIO, Final

from spsetl.appliance.answers import Answer, check_status
from spsetl.appliance.failures import not_json
from spsetl.appliance.protocol import decode_whole
from spsetl.appliance.transport import Headers, Stream
from spsetl.errors import BadAnswerError, UnavailableError

Advance = Callable[[int, int | None], None]
"""Is told how many bytes have come, and how many there are; None where that is not known."""

_PART: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_NO_RECORDING: Final = re.compile(r"text/html|application/json", re.IGNORECASE)
_PIECES_OF_ERROR: Final = 1


class Download:
    """A file that is being filled from its beginning.

    Args:
        file: Open for writing, empty.
        advance: Is told of each piece.
        most: Bytes that it may have, unpacked.

    Attributes:
        is_whole: All of it has come.
        is_proved: The answer said where its end is; without, a broken connection looks like an end.
    """

    def __init__(self, file: BinaryIO, advance: Advance, most: int) -> None:
        self.is_whole = False
        self.is_proved = False
        self._file = file
        self._advance = advance
        self._most = most
        self._tag = ""
        self._size: int | None = None

    @property
    def received(self) -> int:
        """Bytes in the file."""
        return self._file.tell()

    def headers(self, login: Headers) -> Headers:
        """Of the next request: for the rest, if that can be had. A body as it is, since a part of gzip is of no use."""
        headers = login.copy()
        headers.update({"Accept": "*/*", "Accept-Encoding": "identity"})
        if self._tag and self.received:
            headers.update({"Range": f"bytes={self.received}-", "If-Range": self._tag})
        return headers

    def read(self, stream: Stream, *, kind: str) -> None:
        """Take an answer into the file.

        Raises:
            UnavailableError: It broke off; what came is kept.
            SpsetlError: What its status stands for, or it is no recording.
        """
        self._begin(stream, kind)
        for piece in stream.pieces:
            self._file.write(piece)
            if self.received > self._most:
                raise BadAnswerError(
                    f"the {kind} has more than {self._most / 1e6:g} MB: see whether that is the appliance, and if so "
                    "raise SPSETL_RECORDING_MEGABYTES"
                )
            self._advance(self.received, self._size)
        if self._size is not None and self.received != self._size:
            raise UnavailableError(f"the answer to a request for {kind} ends in the middle; try later")
        self.is_proved = not stream.cut_unseen
        self.is_whole = True

    def _begin(self, stream: Stream, kind: str) -> None:
        """Where the file goes on, by the answer's status."""
        if stream.status == HTTPStatus.PARTIAL_CONTENT:
            part = _PART.fullmatch(stream.headers.get("Content-Range", ""))
            if part is None or decode_whole(part[1]) != self.received:
                raise BadAnswerError(f"the answer to a request for {kind} is not the part that was asked for")
            self._size = decode_whole(part[3])
            return
        if stream.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._restart()
            raise UnavailableError(f"the {kind} has changed while it was read; it begins anew")
        check_status(_as_answer(stream), kind=kind)
        self._restart()
        if _NO_RECORDING.match(stream.content_type):
            raise not_json(stream.status, stream.content_type, kind=kind)
        length = stream.headers.get("Content-Length", "")
        self._size = decode_whole(length)
        tag = stream.headers.get("ETag", "")
        self._tag = tag if tag.startswith('"') else ""  # a weak one promises less than the same bytes

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._tag, self._size = "", None


def _as_answer(stream: Stream) -> Answer:
    """What an error has to say; nothing of a recording is read."""
    is_error = stream.status != HTTPStatus.OK
    body = b"".join(islice(stream.pieces, _PIECES_OF_ERROR)) if is_error else b""
    return Answer(stream.status, stream.content_type, body, stream.headers, {}, stream.cut_unseen)
