"""What holds for all tests."""

import pytest


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module that makes something once, a whole copy for example, is run by one worker: else each makes it."""
    for item in items:
        info = getattr(item, "_fixtureinfo", None)
        found = info.name2fixturedefs.values() if info else ()
        is_shared = any(definitions[-1].scope == "module" for definitions in found)
        if is_shared and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
