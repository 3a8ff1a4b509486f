"""A keyring for tests."""

import keyring.backend


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory, which fails as it is told."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.error: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        """What was kept."""
        if self.error:
            raise self.error
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        if self.error:
            raise self.error
        self.kept[service, username] = password
