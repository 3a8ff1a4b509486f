"""Prepares a Superset of its own for one warehouse: python prepare.py WAREHOUSE, with Superset's interpreter.

Makes or upgrades Superset's own database under SUPERSET_HOME, makes the user `admin`, and imports the dashboard. Run
again, it changes the warehouse's path and lays the dashboard out anew; charts that were changed in Superset stay.
"""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from bundle import write_bundle

HERE: Final = Path(__file__).parent
os.environ.setdefault("SUPERSET_CONFIG_PATH", str(HERE / "superset_config.py"))

from superset.cli.main import superset  # noqa: E402 the settings must be named before
from superset_config import HOME, kept_secret  # noqa: E402

ADMIN: Final = "admin"
DATABASE: Final = "spsetl warehouse"


def main(warehouse: Path) -> None:
    """Each step can be done again."""
    if not warehouse.is_file():
        sys.exit(f"{warehouse} is not there: run `spsetl sync`, then name the warehouse.duckdb of its data directory")
    run("db", "upgrade")
    # Within this process: the password of a command line could be read by every user of the machine.
    names = ("--username", ADMIN, "--firstname", "Admin", "--lastname", "Admin", "--email", "admin@localhost")
    run("fab", "create-admin", *names, "--password", kept_secret("admin-password"))
    run("init")
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "dashboard.zip"
        write_bundle(warehouse, bundle)
        run("import-dashboards", "--path", str(bundle), "--username", ADMIN)
    run("set-database-uri", "--database_name", DATABASE, "--uri", f"duckdb:///{warehouse.absolute()}", "--skip_create")
    print(f"Ready. Log in as {ADMIN} with the password in {HOME / 'admin-password'}", file=sys.stderr)


def run(*arguments: str) -> None:
    """One command of Superset."""
    superset.main(list(arguments), standalone_mode=False)
    # `db upgrade` silences the loggers, by which a later command would say why it fails.
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).disabled = False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
