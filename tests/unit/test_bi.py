"""The dashboard for Superset fits the warehouse. Superset itself draws it in tests/bi, run by `make bi`."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import yaml

from spsetl.simulator import Simulator, World, WorldSpec
from tests.bi.bundle import DEPLOYMENT, described_columns, names_in, read_all, warehouse_columns
from tests.syncing import sync

DATASETS: Final = read_all("datasets")
CHARTS: Final = read_all("charts")
(DASHBOARD,) = read_all("dashboards").values()
UUIDS: Final = {dataset["uuid"]: name for name, dataset in DATASETS.items()}
# Where a chart's parameters and its query name columns and metrics.
NAMING: Final = ("x_axis", "groupby", "metric", "metrics", "all_columns", "columns", "series_columns", "x_axis_sort")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published copy of a small appliance."""
    folder = tmp_path_factory.mktemp("bi")
    with Simulator(World(WorldSpec(sessions=60, days=3))) as simulator:
        sync(simulator, folder)
    return folder / "warehouse.duckdb"


@pytest.fixture
def write_bundle(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function of the script beside the dashboard."""
    monkeypatch.syspath_prepend(DEPLOYMENT)
    monkeypatch.delitem(sys.modules, "bundle", raising=False)
    from bundle import write_bundle  # noqa: PLC0415 it lies outside of the packages

    return write_bundle


@pytest.mark.parametrize("name", DATASETS)
def test_dataset_has_the_columns_of_its_table(name: str, warehouse: Path) -> None:
    """Names, types and meanings are the warehouse's; `python -m tests.bi.bundle WAREHOUSE` writes them."""
    wanted = warehouse_columns(warehouse, DATASETS[name])

    assert wanted
    assert described_columns(DATASETS[name]) == wanted


@pytest.mark.parametrize("name", DATASETS)
def test_what_a_dataset_calculates_can_be_calculated(name: str, warehouse: Path) -> None:
    """DuckDB answers each metric and each calculated column of the dataset, and with a type that every tool reads."""
    dataset = DATASETS[name]
    calculated = [column["expression"] for column in dataset["columns"] if column["expression"]]
    metrics = [metric["expression"] for metric in dataset["metrics"]]
    table = f"{dataset['schema']}.{dataset['table_name']}"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        kinds = {
            kind
            for expressions in (calculated, metrics)
            if expressions
            for _, kind, *_ in connection.execute(f"describe select {', '.join(expressions)} from {table}").fetchall()
        }

    assert kinds <= {"VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP", "BOOLEAN", "INTEGER"}


@pytest.mark.parametrize("name", CHARTS)
def test_chart_names_what_its_dataset_has(name: str) -> None:
    """A chart's parameters and its query name no column and no metric that its dataset lacks."""
    chart = CHARTS[name]
    dataset = DATASETS[UUIDS[chart["dataset_uuid"]]]
    known = {column["column_name"] for column in dataset["columns"]}
    known |= {metric["metric_name"] for metric in dataset["metrics"]}
    queries = json.loads(chart["query_context"])["queries"]
    named = {
        one
        for part in (chart["params"], *queries)
        for one in names_in([part.get(key) for key in NAMING if key in part])
    }
    filtered = {one["subject"] for one in chart["params"]["adhoc_filters"]}
    filtered |= {one["col"] for query in queries for one in query["filters"]}

    assert named
    assert (named | filtered) - known - {"P1D", "BASE_AXIS", "SQL"} == set()


def test_dashboard_shows_each_chart_once() -> None:
    """The dashboard places the charts that lie beside it, each once, under its own name."""
    placed = [
        (part["meta"]["uuid"], part["meta"]["sliceName"])
        for part in DASHBOARD["position"].values()
        if isinstance(part, dict) and part.get("type") == "CHART"
    ]

    assert sorted(placed) == sorted((chart["uuid"], chart["slice_name"]) for chart in CHARTS.values())


def test_filters_choose_by_columns_that_are_there() -> None:
    """Each filter of the dashboard is of a column of its dataset."""
    targets = [
        (DATASETS[UUIDS[target["datasetUuid"]]], target["column"]["name"])
        for one in DASHBOARD["metadata"]["native_filter_configuration"]
        for target in one["targets"]
        if target
    ]

    assert targets
    assert [c for d, c in targets if c not in {column["column_name"] for column in d["columns"]}] == []


def test_the_warehouse_is_only_read() -> None:
    """Superset opens it read-only, opens no other file, and may write nothing."""
    (database,) = read_all("databases").values()
    arguments = database["extra"]["engine_params"]["connect_args"]

    assert arguments["read_only"] is True
    assert arguments["config"]["enable_external_access"] is False
    assert arguments["config"]["lock_configuration"] is True
    assert not any(database[f"allow_{what}"] for what in ("dml", "ctas", "cvas", "file_upload"))


@pytest.mark.parametrize("folder", ["data", "with space", 'quote " and: colon #', "Größe"])
def test_bundle_names_this_warehouse(folder: str, tmp_path: Path, write_bundle: Any) -> None:
    """The zip holds every file, and the database in it is the warehouse, whatever its folder is called."""
    path = tmp_path / folder / "warehouse.duckdb"
    write_bundle(path, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist()}

    assert len(texts) == len(list(DEPLOYMENT.glob("privileged_sessions/**/*.yaml")))
    assert yaml.safe_load(texts["spsetl_warehouse.yaml"])["sqlalchemy_uri"] == f"duckdb:///{path}"
    assert not [name for name, text in texts.items() if "WAREHOUSE_PATH" in text]


def test_bundle_refuses_a_path_that_superset_cannot_open(tmp_path: Path, write_bundle: Any) -> None:
    """A path that would be cut at its question mark is refused, and no zip is written."""
    with pytest.raises(ValueError, match="link to it"):
        write_bundle(tmp_path / "what?" / "warehouse.duckdb", tmp_path / "bundle.zip")

    assert list(tmp_path.iterdir()) == []
