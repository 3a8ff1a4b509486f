"""Settings as the text of a spsetl.toml."""

import json
import textwrap
from collections.abc import Mapping
from typing import Final

from spsetl.settings.model import Settings

_HEAD: Final = """\
# The settings of spsetl, for runs in this folder. Variables of the environment (SPSETL_URL for url) and options
# override them. All that there are, with their meanings: spsetl sync --help. No password is kept here.
"""
_WIDTH: Final = 118


def toml_of(values: Mapping[str, object]) -> str:
    """A spsetl.toml with these values, each below its meaning.

    Raises:
        ValueError: A value is a password, or a text that is not printable.
    """
    if "password" in values:
        raise ValueError("a password has no place in spsetl.toml")
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        if name in values:
            comment = textwrap.fill(field.description or "", _WIDTH, initial_indent="# ", subsequent_indent="# ")
            parts.append(f"{comment}\n{name} = {_as_toml(values[name])}\n")
    return "\n".join(parts)


def _as_toml(value: object) -> str:
    """A number, or true or false; all else as a text. What is printable in JSON is the same in TOML."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if not text.isprintable():
        raise ValueError("only printable texts can be written into spsetl.toml")
    return json.dumps(text, ensure_ascii=False)
