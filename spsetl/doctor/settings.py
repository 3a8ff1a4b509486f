"""The settings: what each is and where it came from, and whether a sync can begin with them."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr

from spsetl.doctor.finding import Finding, green, red, yellow
from spsetl.errors import SettingsError
from spsetl.settings import Settings
from spsetl.settings.access import Access

MASK: Final = "(set, not shown)"
_DEFAULT: Final = "default"


def check_settings(settings: Settings, *, of_copy: bool = False) -> Generator[Finding, None, Access | None]:
    """What is set, and what of it is unwise; how to reach the appliance, or None where that is not known.

    Args:
        settings: Of one appliance.
        of_copy: Whether none is set, which somebody who only has a copy need not mend.
    """
    facts = {
        name: {"value": _shown(settings, name, origin), "origin": origin} for name, origin in settings.origins.items()
    }
    access, remarks = None, settings.remarks
    if of_copy:
        text = f"no appliance is set: its checks are left out, and those of the copy in {settings.data_dir} done"
        advice = "to look at the appliance too, set SPSETL_URL and how to log in, or run spsetl init"
        finding, remarks = yellow("settings", f"{text}; {advice}", **facts), ()
    else:
        try:
            access = settings.for_appliance()
            finding = green("settings", f"{access.appliance} at {access.url}, into {settings.data_dir}", **facts)
        except SettingsError as error:
            finding, remarks = red("settings", error, **facts), ()
    yield replace(finding, lines=_lines(facts))
    for remark in remarks:
        yield yellow("settings", remark)
    return access


def _lines(facts: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """A line for each setting that is no default."""
    given = {name: fact for name, fact in facts.items() if fact["origin"] != _DEFAULT}
    width = max(map(len, given), default=0)
    widest = max((len(str(fact["value"])) for fact in given.values()), default=0)
    lines = [f"{name:<{width}}  {fact['value']!s:<{widest}}  from {fact['origin']}" for name, fact in given.items()]
    return (*lines, f"{len(facts) - len(given)} others are at their defaults")


def _shown(settings: Settings, name: str, origin: str) -> object:
    """The value for JSON and for people, no secret."""
    value = getattr(settings, name)
    if isinstance(value, SecretStr) or (name == "password" and origin != _DEFAULT):
        return MASK
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def check_quiet_hours(settings: Settings) -> Finding | None:
    """Whether nothing may be asked of the appliance just now; None if it may."""
    end = settings.quiet_hours.end(datetime.now(UTC)) if settings.quiet_hours else None
    if end is None:
        return None
    text = f"until {end:%H:%M} no requests may be sent: the way, login, rights and pace are not looked at"
    return yellow("quiet hours", f"{text}; run spsetl doctor again after {end:%H:%M}, or with --quiet-hours none")
