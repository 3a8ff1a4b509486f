"""In which form this program tells what happens. Imports little: commands that only ask the copy begin at once."""

from typing import TYPE_CHECKING, Literal, cast, get_args

if TYPE_CHECKING:
    from spsetl.settings import Settings

Form = Literal["text", "logfmt", "json"]
_now: dict[str, Form] = {"form": "text"}


def is_told_as_events() -> bool:
    """Whether each line on stderr is an event; else it is text for a person."""
    return _now["form"] != "text"


def configure(settings: "Settings") -> None:
    """Tell from now on what happens as the settings say. May be called again."""
    _tell(settings.log_format, settings.log_level)


def configure_early(form: str) -> None:
    """Until the settings are known, tell what goes wrong in this form; as text where it is none."""
    _tell(cast("Form", form) if form in get_args(Form) else "text", "info")


def _tell(form: Form, level: str) -> None:
    if form == "text" == _now["form"]:
        return
    from spsetl.seeing.logs import tell_as  # noqa: PLC0415 - structlog takes a while to import

    tell_as(form, level)
    _now["form"] = form
