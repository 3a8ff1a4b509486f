"""What a terminal is shown: text in which nothing commands it, whoever wrote it. Elsewhere data stays as it is."""

import io
import sys
from typing import BinaryIO, TextIO, cast


def printable(text: str) -> str:
    """The text on one line, with what cannot be seen escaped: controls, marks of direction, halves of pairs."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


class _Bytes(io.BufferedIOBase):
    """A terminal for who writes bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview[int]", /) -> int:  # type: ignore[override]
        self._file.write(_shown(bytes(data).decode(errors="backslashreplace")).encode())
        return len(data)

    def flush(self) -> None:
        self._file.flush()


class Screen(io.TextIOWrapper):
    """A terminal in the place of sys.stdout or sys.stderr.

    Attributes:
        plain: For text that is made printable where it is made, and styled.
    """

    def __init__(self, stream: TextIO) -> None:
        binary = stream.buffer
        super().__init__(binary, encoding=stream.encoding, errors="backslashreplace", write_through=True)
        self.plain = stream
        self._bytes = shielded(binary)

    @property
    def buffer(self) -> BinaryIO:
        """For who writes bytes."""
        return self._bytes

    def write(self, text: str, /) -> int:
        """Write what can be seen of it."""
        super().write(_shown(text))
        self.flush()
        return len(text)


def shielded(file: BinaryIO) -> BinaryIO:
    """The file; a terminal as one that shows what could command it."""
    return cast("BinaryIO", _Bytes(file)) if file.isatty() else file


def plain(stream: TextIO) -> TextIO:
    """The stream for who writes styled text, of which all that is not ours went through `printable`."""
    return stream.plain if isinstance(stream, Screen) else stream


def shield_terminal() -> None:
    """From now on whatever is printed on a terminal can be seen, and does nothing else to it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream.isatty():
            setattr(sys, name, Screen(stream))
