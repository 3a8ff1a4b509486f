"""What holds for all tests, and what those that call the command share."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are no garbage: it is not looked for among them, neither while they are found nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module that makes something once, a whole copy for example, is run by one worker: else each makes it."""
    for item in items:
        info = getattr(item, "_fixtureinfo", None)
        found = info.name2fixturedefs.values() if info else ()
        is_shared = any(definitions[-1].scope == "module" for definitions in found)
        if is_shared and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's own."""
    for name in list(os.environ):
        if name.startswith("SPSETL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def alone(no_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but the test's own, and a folder of its own as the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def two_tries() -> Iterator[None]:
    """What fails is tried once more, without a wait."""
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def without_waiting() -> Iterator[None]:
    """Retries of a sync happen, however many, without their waits."""
    with stamina.set_testing(True, attempts=20):
        yield
