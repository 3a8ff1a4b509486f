"""What runs every night has an end of memory, and leaves no core that holds what people typed."""

from pathlib import Path

import pytest
import yaml

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
UNITS = sorted(path for path in (DEPLOYMENTS / "systemd").glob("spsetl-*.service") if "notify" not in path.name)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_limited(unit: Path) -> None:
    """Each service that runs our code or Prefect's."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("MemoryMax=") for line in lines)
    assert "LimitCORE=0" in lines


def test_containers_are_limited() -> None:
    """Each of them, the database too."""
    services = yaml.safe_load((DEPLOYMENTS / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert len(services) >= 4
    for service in services.values():
        assert service["mem_limit"]
        assert service["ulimits"] == {"core": 0}
