"""The settings: what each is and where it came from, and whether a sync can begin with them."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr

from spsetl.doctor.finding import Finding, red, split_advice
from spsetl.errors import SettingsError
from spsetl.settings import Settings
from spsetl.settings.access import Access

MASK: Final = "(set, not shown)"
_DEFAULT: Final = "default"


def check_settings(settings: Settings) -> Generator[Finding, None, Access | None]:
    """What is set, and what of it is unwise; how to reach the appliance, or None where that is not known."""
    facts, lines = describe_origins(settings)
    try:
        access = settings.for_appliance()
    except SettingsError as error:
        finding = red("settings", error)
        yield Finding("settings", "red", finding.found, finding.next_step, finding.exit_code, lines, facts)
        return None
    text = f"{access.appliance} at {access.url}, into {settings.data_dir}"
    yield Finding("settings", "green", text, lines=lines, facts=facts)
    for remark in settings.remarks:
        found, advice = split_advice(remark)
        yield Finding("settings", "yellow", found, advice or "see deployments/settings.md")
    return access


def tell_nothing_set(settings: Settings) -> Finding:
    """That no appliance is named, which somebody who only has a copy need not mend."""
    facts, lines = describe_origins(settings)
    text = f"no appliance is set: its checks are left out, and those of the copy in {settings.data_dir} done"
    advice = "to look at the appliance too, set SPSETL_URL and how to log in, or run spsetl init"
    return Finding("settings", "yellow", text, advice, lines=lines, facts=facts)


def describe_origins(settings: Settings) -> tuple[dict[str, Any], tuple[str, ...]]:
    """By each setting's name its value and its origin; and a line for each that is no default. No secret is shown."""
    facts: dict[str, Any] = {}
    for name, origin in settings.origins.items():
        facts[name] = {"value": _shown(name, getattr(settings, name), origin), "origin": origin}
    given = {name: fact for name, fact in facts.items() if fact["origin"] != _DEFAULT}
    width = max(map(len, given), default=0)
    widest = max((len(str(fact["value"])) for fact in given.values()), default=0)
    lines = [f"{name:<{width}}  {fact['value']!s:<{widest}}  from {fact['origin']}" for name, fact in given.items()]
    return facts, (*lines, f"{len(facts) - len(given)} others are at their defaults")


def check_quiet_hours(settings: Settings, *, now: datetime | None = None) -> Finding | None:
    """Whether nothing may be asked of the appliance just now; None if it may."""
    if settings.quiet_hours is None:
        return None
    end = settings.quiet_hours.end(now or datetime.now(UTC))
    if end is None:
        return None
    text = f"until {end:%H:%M} no requests may be sent: login, rights and pace are not looked at"
    return Finding(
        "quiet hours", "yellow", text, f"run spsetl doctor again after {end:%H:%M}, or with --quiet-hours none"
    )


def _shown(name: str, value: object, origin: str) -> object:
    """The value for JSON and for people."""
    if isinstance(value, SecretStr) or (name == "password" and origin != _DEFAULT):
        return MASK
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return value if value is None or isinstance(value, bool | int | float) else str(value)
