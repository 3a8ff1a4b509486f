"""`spsetl stats`, `spsetl histogram` and `spsetl sql`: answers from the copy, without the appliance."""

from collections.abc import Sequence
from typing import Any, Literal

import orjson

from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_csv, print_table
