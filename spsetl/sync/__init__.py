"""A sync: plan, fetch, flatten, Parquet, merge, check, publish. One composition for command line and Prefect."""

from spsetl.sync.reconcile import run_reconcile
from spsetl.sync.run import plan_sync, run_backfill, run_each, run_sync
from spsetl.sync.runner import StepRunner, ThreadRunner

__all__ = ["StepRunner", "ThreadRunner", "plan_sync", "run_backfill", "run_each", "run_reconcile", "run_sync"]
