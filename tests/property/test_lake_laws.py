"""Laws of the lake's names."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from spsetl.lake import file_name

NAMES = st.text(st.characters(codec="utf-8"), max_size=200)


@given(NAMES)
@example("..")
@example(".hidden")
@example("_hidden")
@example("a=b")
@example("")
@example("\udcff")
def test_any_name_is_safe_in_a_path(name: str) -> None:
    """Whatever a thing is called, its name is one part of a path that nothing reads as a pattern, column or secret."""
    assert re.fullmatch(r"[A-Za-z0-9%-][A-Za-z0-9%._-]{0,119}", file_name(name))


@given(NAMES, NAMES)
@example("a b", "a%20b")
@example("", "%")
@example("x" * 200, "x" * 199)
def test_different_names_stay_different(one: str, other: str) -> None:
    """No two names share a file."""
    assert (file_name(one) == file_name(other)) == (one == other)
