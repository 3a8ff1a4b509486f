"""The files of a data directory."""

import socket
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from spsetl.errors import SettingsError
from spsetl.lake import file_name


@dataclass(frozen=True)
class Places:
    """Where everything of a data directory is."""

    lake: Path
    private: Path
    work: Path
    published: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Places":
        """The files below a data directory."""
        private = data_dir / "work"
        return cls(data_dir / "lake", private, private / "warehouse.duckdb", data_dir / "warehouse.duckdb")

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            SettingsError: They cannot be made or written.
        """
        try:
            self.published.parent.mkdir(mode=0o750, parents=True, exist_ok=True)  # its group may read what is published
            for folder in (self.lake, self.private):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what people did is nobody else's business
                probe = folder / ".writable"
                probe.touch()
                probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"cannot write the data directory {self.published.parent} ({error.strerror}): "
                "set SPSETL_DATA_DIR to a folder that this user may write"
            ) from error

    def snapshot_of(self, appliance: str) -> Path:
        """Where the snapshot that was opened last is remembered."""
        return self.private / f"snapshot-{file_name(appliance)}.json"

    @property
    def token(self) -> str:
        """Tells this data directory from others in the User-Agent: they must not get each other's snapshots."""
        whole = f"{socket.gethostname()}:{self.private.absolute()}"
        return blake2b(whole.encode(errors="surrogateescape"), digest_size=4).hexdigest()
