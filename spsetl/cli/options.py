"""Options that several commands share, made of the settings: each overrides the setting of the same name."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Final, TypeVar

from cyclopts import Group as Panel
from cyclopts import Parameter

from spsetl.events import write_to_stderr
from spsetl.settings import Group, SettingDescription, Settings, describe_settings, load_appliances, load_settings

T = TypeVar("T")

# After a command's own options, in the order of the groups.
_PANELS: Final = {group: Panel(group.value, sort_key=place + 1) for place, group in enumerate(Group)}


def _with_options(groups: Iterable[Group]) -> Callable[[type[T]], type[T]]:
    """Give the class an option for each setting of these groups, all but the password: the process list shows options.

    A value is a text, as in the environment: the settings alone say what of it is right.
    """

    def add(kind: type[T]) -> type[T]:
        for one in describe_settings():
            if one.group in groups and not one.is_secret:
                kind.__annotations__[one.name] = Annotated[
                    bool | None if one.kind is bool else str | None, _parameter(one)
                ]
                setattr(kind, one.name, None)
        return Parameter(name="*")(dataclass(frozen=True, kw_only=True)(kind))

    return add


def _parameter(one: SettingDescription) -> Parameter:
    default = f", {one.default}" if one.default else ""
    return Parameter(help=f"{one.help} ({one.variable}{default}).", group=_PANELS[one.group])


@_with_options([Group.COPY])
class DataOptions:
    """Where the copy is, and what a question to it may take."""

    def load(self) -> Settings:
        """The settings with these options on top."""
        settings = load_settings(asdict(self))  # type: ignore[call-overload] # a dataclass, once it has its options
        write_to_stderr(settings.log_format, settings.log_level)
        return settings


@_with_options(Group)
class SyncOptions(DataOptions):
    """What to sync, and how."""

    def load_all(self) -> tuple[Settings, ...]:
        """The settings of each appliance, or of the one that is named, with these options on top."""
        all_settings = load_appliances(asdict(self))  # type: ignore[call-overload]
        write_to_stderr(all_settings[0].log_format, all_settings[0].log_level)  # the same for all
        return all_settings
