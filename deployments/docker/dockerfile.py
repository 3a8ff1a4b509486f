"""A Dockerfile as a list of stages, and what a stage says of its containers. Only what ours uses is understood."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

KNOWN: Final = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "HEALTHCHECK", "CMD"}


@dataclass
class Stage:
    """One FROM and what follows it; the last instruction of a kind counts."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, kind: str) -> str:
        """The arguments of the last instruction of this kind."""
        return [arguments for each, arguments in self.steps if each == kind][-1]

    @property
    def command(self) -> list[str]:
        """CMD, in its JSON form."""
        return list(json.loads(self.last("CMD")))

    @property
    def health_check(self) -> list[str]:
        """The command of HEALTHCHECK, in its JSON form."""
        return list(json.loads(self.last("HEALTHCHECK").partition("CMD ")[2]))

    @property
    def environment(self) -> dict[str, str]:
        """ENV, all of them."""
        return dict(word.split("=", 1) for kind, said in self.steps if kind == "ENV" for word in shlex.split(said))

    @property
    def user(self) -> tuple[int, int]:
        """USER, as numbers of user and group."""
        user, group = self.last("USER").split(":")
        return int(user), int(group)


def read_stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    stages: list[Stage] = []
    for kind, arguments in read_instructions(text):
        if kind == "FROM":
            base, *name = re.split(r"\s+AS\s+", arguments)
            stages.append(Stage(base, name[0] if name else ""))
        else:
            stages[-1].steps.append((kind, arguments))
    return stages


def read_instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction and its arguments, on one line.

    Raises:
        ValueError: One that is not known here.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for whole in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        kind, _, arguments = whole.partition(" ")
        if kind not in KNOWN:
            raise ValueError(f"{kind} is not understood here")
        yield kind, arguments.strip()
