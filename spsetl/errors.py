"""Every error that spsetl raises on purpose, each with the exit code it ends the program with.

    SpsetlError                      1  a defect of ours, if it is none of those below
    ├── UsageError                   2  wrong usage
    │   ├── SettingsError            2  a setting is missing, unknown or contradicts another
    │   ├── QueryError               2  the appliance does not understand a filter or a value (400)
    │   ├── TooManyBinsError         2  a histogram's bins are too small for its range
    │   ├── NewerCopyError           2  a newer spsetl has written this copy
    │   └── ApplianceNameError       2  the copy has no such appliance, or has it under another name
    ├── IncompleteError              3  something could not be fetched, or the copy is not equal to the source
    │   ├── UnsplittableError        3  more sessions than one answer holds, and nothing tells them apart
    │   ├── ShiftingListError        3  the list changes faster than it can be read
    │   ├── VanishedError            3  more sessions are gone from the appliance than can be believed
    │   ├── CheckError               3  a check before publishing found wrong rows
    │   └── StorageError             3  a file cannot be written or read (full disk, damaged file)
    ├── AccessError                  4  the appliance does not let us in
    │   ├── LoginError               4  wrong user name, password or certificate
    │   └── RightsError              4  the user lacks a right (403)
    ├── ApplianceError               5  the appliance cannot be reached or keeps failing
    │   ├── ConnectError             5  no connection: name, port, network, TLS
    │   ├── UnavailableError         5  busy or restarting (500 SearchUnavailable, 502, 503, time-out): worth a retry
    │   │   └── RateLimitError       5  429: another program holds the snapshot
    │   ├── NotFoundError            5  no such session any more, or the snapshot has gone (404)
    │   └── BadAnswerError           5  an answer that is not the JSON it should be
    └── LockedError                  6  another sync holds this data directory

Messages are one line, say what to do next, and never carry a secret, a session's content or an answer's body.
"""

from typing import ClassVar


class SpsetlError(Exception):
    """The base of all; its message is shown to the user as it is."""

    exit_code: ClassVar[int] = 1


class UsageError(SpsetlError):
    """The command line or the settings are wrong."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, unknown, out of range or contradicts another."""


class QueryError(UsageError):
    """The appliance does not understand a filter or a value (400 InvalidQuery, InvalidQueryValue)."""


class TooManyBinsError(UsageError):
    """A histogram would have more bins than allowed (the appliance: 400 TooMuchBucketsInResult)."""


class NewerCopyError(UsageError):
    """A newer spsetl has written this copy; this one cannot know what it means."""


class ApplianceNameError(UsageError):
    """The copy has no appliance of this name, or has the same one under another."""


class IncompleteError(SpsetlError):
    """Something could not be fetched, or the copy is not equal to the source."""

    exit_code = 3


class UnsplittableError(IncompleteError):
    """More sessions than one answer holds, and neither time nor any field tells them apart."""


class ShiftingListError(IncompleteError):
    """The list keeps changing under the reader."""


class VanishedError(IncompleteError):
    """More sessions are gone from the appliance than can be believed."""


class CheckError(IncompleteError):
    """A check before publishing found rows that must not be there."""


class StorageError(IncompleteError):
    """A file cannot be written or read: full disk, damaged file."""


class AccessError(SpsetlError):
    """The appliance does not let us in."""

    exit_code = 4


class LoginError(AccessError):
    """Wrong user name, password or certificate (401 AuthenticationFailure). Never tried again by itself."""


class RightsError(AccessError):
    """The user lacks a right (403 Unauthorized)."""


class ApplianceError(SpsetlError):
    """The appliance cannot be reached or keeps failing."""

    exit_code = 5


class ConnectError(ApplianceError):
    """No connection: unknown host, refused, unreachable, TLS."""


class UnavailableError(ApplianceError):
    """The appliance is busy or restarting.

    `retry_after` is what it asked us to wait, in seconds, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitError(UnavailableError):
    """429: another user, program or host holds the snapshot."""


class NotFoundError(ApplianceError):
    """404: no such session any more, or the snapshot has gone."""


class BadAnswerError(ApplianceError):
    """An answer that is not the JSON it should be, for example a proxy's HTML page."""


class LockedError(SpsetlError):
    """Another sync holds this data directory."""

    exit_code = 6
