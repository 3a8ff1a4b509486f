"""The recording itself, `/api/audit/sessions/<key>/audit_trail` ("Download audit trails").

The guide gives the address and the two formats. Guesses: the content type, and whether a part can be asked for.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from spsetl.simulator.answers import Answer
from spsetl.simulator.dice import Dice
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.sessions import Session
from spsetl.simulator.spec import WorldSpec

FORMS: Final = ("zat", "srs")
_SMALLEST, _LARGEST = 20_000, 400_000  # bytes
_TYPE: Final = "application/octet-stream"
_RANGE: Final = re.compile(rb"bytes=(\d+)-")


def recording_of(spec: WorldSpec, session: Session, form: str) -> bytes:
    """Bytes that nothing can be made of, always the same for a session and a format."""
    size = Dice(spec.seed, "recording", session.number).between(_SMALLEST, _LARGEST)
    return hashlib.shake_128(f"{spec.seed} {session.key} {form}".encode()).digest(size)


def answer(whole: bytes, headers: Mapping[bytes, bytes], quirks: Quirks) -> Answer:
    """All of it, or the part that is asked for (RFC 9110, 14), if the recording is still the one that was begun."""
    if not quirks.trail_ranges:
        return Answer(whole, 200, _TYPE, has_length=quirks.trail_length)
    tag = f'"{hashlib.sha256(whole).hexdigest()[:16]}"'
    given = (("accept-ranges", "bytes"), ("etag", tag))
    asked = _RANGE.fullmatch(headers.get(b"range", b""))
    if asked is None or headers.get(b"if-range", tag.encode()) != tag.encode():
        return Answer(whole, 200, _TYPE, given, has_length=quirks.trail_length)
    first = int(asked[1])
    if first >= len(whole):
        return Answer(b"", 416, _TYPE, (("content-range", f"bytes */{len(whole)}"),))
    part = (*given, ("content-range", f"bytes {first}-{len(whole) - 1}/{len(whole)}"))
    return Answer(whole[first:], 206, _TYPE, part, has_length=quirks.trail_length)
