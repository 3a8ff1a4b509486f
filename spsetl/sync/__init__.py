"""A sync: plan, fetch, flatten, Parquet, merge, check, publish. One composition for command line and Prefect."""

from spsetl.sync.progress import Progress, Silence
from spsetl.sync.report import SyncReport
from spsetl.sync.run import plan_sync, run_sync
from spsetl.sync.runner import StepRunner, ThreadRunner

__all__ = ["Progress", "Silence", "StepRunner", "SyncReport", "ThreadRunner", "plan_sync", "run_sync"]
