"""The dashboard as the zip file that Superset imports: python bundle.py WAREHOUSE ZIP."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Final

DASHBOARD: Final = Path(__file__).parent / "privileged_sessions"
PLACEHOLDER: Final = "WAREHOUSE_PATH"


def write_bundle(warehouse: Path, bundle: Path) -> None:
    """Zip the dashboard's folder, with the path of this warehouse in the place of the placeholder.

    Raises:
        ValueError: The path cannot stand in a database's address.
    """
    path = str(warehouse.absolute())
    if "?" in path or "%" in path:
        raise ValueError(f"{path}: Superset cannot open a path with ? or % in it; link to it from another")
    # The address stands in double quotes, where YAML reads what JSON writes.
    quoted = json.dumps(path)[1:-1]
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(DASHBOARD.rglob("*.yaml")):
            text = file.read_text(encoding="utf-8").replace(PLACEHOLDER, quoted)
            archive.writestr(f"{DASHBOARD.name}/{file.relative_to(DASHBOARD).as_posix()}", text)


if __name__ == "__main__":
    write_bundle(Path(sys.argv[1]), Path(sys.argv[2]))
