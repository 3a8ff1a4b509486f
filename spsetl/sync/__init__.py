"""A sync: plan, fetch, flatten, Parquet, merge, check, publish. One composition for command line and Prefect."""

from spsetl.sync.progress import Progress, Silence
from spsetl.sync.reconcile import ReconcileReport, run_reconcile
from spsetl.sync.report import SyncReport
from spsetl.sync.run import plan_sync, run_backfill, run_sync
from spsetl.sync.runner import StepRunner, ThreadRunner
from spsetl.sync.several import AppliancesRun, exit_code_of, run_each

__all__ = [
    "AppliancesRun",
    "Progress",
    "ReconcileReport",
    "Silence",
    "StepRunner",
    "SyncReport",
    "ThreadRunner",
    "exit_code_of",
    "plan_sync",
    "run_backfill",
    "run_each",
    "run_reconcile",
    "run_sync",
]
