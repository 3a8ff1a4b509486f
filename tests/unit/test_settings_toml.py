"""A spsetl.toml that is written: what goes in comes out again, and no password ever goes in."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.settings import Settings, load_settings
from spsetl.settings.load import toml_of

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" ")).filter(str.isprintable)
VALUES = {"username": TEXTS, "data_dir": TEXTS, "concurrency": st.integers(), "verify_tls": st.booleans()}


@given(st.fixed_dictionaries(VALUES))
def test_whatever_is_written_is_read_again(values: dict[str, object]) -> None:
    """Quotes, backslashes, hashes and letters of any script are the same after writing and reading."""
    assert tomllib.loads(toml_of(values)) == values


def test_file_explains_each_setting_and_is_read_by_us(tmp_path: Path) -> None:
    """Above each value stands its meaning; the file that was written gives the settings that were meant."""
    values = {"url": "https://sps.example.com", "ca_file": Path("/etc/ca.pem"), "timeout": 30}
    file = tmp_path / "spsetl.toml"
    file.write_text(toml_of(values))

    assert load_settings(file=file, environ={}) == load_settings(values, environ={})
    for name in values:
        assert f"# {Settings.model_fields[name].description}\n{name} = " in file.read_text()


@pytest.mark.parametrize("values", [{"password": "x"}, {"url": "a\nb"}, {"url": "a\x7fb"}, {"url": "a\udc80b"}])
def test_what_has_no_place_in_the_file_is_refused(values: dict[str, str]) -> None:
    """A password, or what TOML could not carry."""
    with pytest.raises(ValueError, match=r"spsetl\.toml"):
        toml_of(values)
