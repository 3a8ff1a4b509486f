# Each target makes what it needs: `make demo` in a fresh clone is enough.
# Another interpreter: `make PYTHON=/path/to/python3.12 test` (3.11 to 3.13).

VENV := .venv
OLD_DUCKDB := .venv-duckdb-1.2.2
MADE := $(VENV)/.made
OLD_DUCKDB_MADE := $(OLD_DUCKDB)/.made
SUPERSET := .venv-superset
SUPERSET_MADE := $(SUPERSET)/.made
SUPERSET_PINS := deployments/bi/superset/constraints.txt
RIVALS := .venv-rivals
RIVAL_PINS := tests/benchmarks/rivals
RIVAL_NAMES := dlt airbyte singer script
RIVALS_MADE := $(RIVAL_NAMES:%=$(RIVALS)/%/.made)
MAKE_VENV := deployments/make-venv.sh
RUN := $(VENV)/bin/
CACHES := .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .sqlfluff_cache

# The first interpreter that is not too old and not too new.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c "$(FITS)" 2>/dev/null && echo "$$each" && break; done)

# Superset's pandas is too old for Python 3.13.
SUPERSET_PYTHON ?= $(shell for each in python3 python3.12 python3.11; do \
	"$$each" -c "import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})" 2>/dev/null && echo "$$each" && break; done)

# An environment that was moved here, or whose interpreter has gone, is made anew.
ifneq ($(shell { $(RUN)python -c "" && cat $(MADE); } 2>/dev/null),$(CURDIR))
.PHONY: $(MADE)
endif
ifneq ($(shell { $(OLD_DUCKDB)/bin/python -c "" && cat $(OLD_DUCKDB_MADE); } 2>/dev/null),$(CURDIR))
.PHONY: $(OLD_DUCKDB_MADE)
endif
ifneq ($(shell { $(SUPERSET)/bin/python -c "" && cat $(SUPERSET_MADE); } 2>/dev/null),$(CURDIR))
.PHONY: $(SUPERSET_MADE)
endif
.PHONY: $(foreach name,$(RIVAL_NAMES),$(if $(filter $(CURDIR),$(shell \
	{ $(RIVALS)/$(name)/bin/python -c "" && cat $(RIVALS)/$(name)/.made; } 2>/dev/null)),,$(RIVALS)/$(name)/.made))

.PHONY: help demo test e2e soak bench bi check fix wheel-check readme constraints clean
.DELETE_ON_ERROR:
.SUFFIXES:

help:
	@echo "make demo         copies a simulated appliance into ./demo-data, and shows what can be asked"
	@echo "make test         runs the tests, all but those of make e2e"
	@echo "make e2e          the flows, and nights in Prefect as they are: server on SQLite and PostgreSQL, scheduler, worker, a failing appliance"
	@echo "make soak         some 40 minutes of bad nights: kills, failures, full disks; prints a table"
	@echo "make bench        some 30 minutes: this beside its rivals and its limits; a table in build/benchmark/"
	@echo "make bi           installs Apache Superset, and asks every chart of the dashboard while syncs publish beside it"
	@echo "make check        lint, types, imports, SQL lint"
	@echo "make fix          formats the code, and repairs what lint can repair"
	@echo "make wheel-check  builds the wheel, installs it in an environment of its own, and runs the demo there"
	@echo "make readme       writes the tables into sql/DATA.md and the settings into deployments/settings.md"
	@echo "make constraints  pins every dependency anew (needs uv); UPGRADE=1 takes the newest versions"
	@echo "make clean        removes what these made, and never ./data"

demo: $(MADE)
	$(RUN)spsetl demo

test: $(MADE) $(OLD_DUCKDB_MADE)
	$(RUN)python -m pytest -n 3 --dist loadgroup  # a sync waits for the disk now and then

e2e: $(MADE)
	$(RUN)python -m pytest -n 2 --dist loadscope tests/e2e/prefect/nights.py tests/e2e/prefect/flows_in_process.py

soak: $(MADE)
	$(RUN)python -m tests.soak

bench: $(MADE)
	@$(MAKE) --no-print-directory --jobs 2 $(RIVALS_MADE)
	$(RUN)python -m tests.benchmarks

bi: $(MADE) $(SUPERSET_MADE)
	$(RUN)python -m pytest tests/bi/dashboard.py

check: $(MADE)
	$(RUN)ruff check
	$(RUN)ruff format --check
	$(RUN)mypy
	$(RUN)lint-imports --no-cache  # the cache has kept an import that was gone
	$(RUN)sqlfluff lint sql

fix: $(MADE)
	$(RUN)ruff check --fix
	$(RUN)ruff format
	$(RUN)sqlfluff fix sql

wheel-check: $(MADE)
	deployments/check-wheel.sh $(VENV)/bin/python

readme: $(MADE)
	$(RUN)python -m tests.readme

constraints:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--quiet $(if $(UPGRADE),--upgrade) --group dev --all-extras pyproject.toml --output-file deployments/constraints.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--quiet deployments/duckdb-1.2.2.in --output-file deployments/duckdb-1.2.2.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--quiet $(if $(UPGRADE),--upgrade) deployments/bi/superset/requirements.in --output-file $(SUPERSET_PINS)
	for name in $(RIVAL_NAMES); do \
		uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
			--quiet $(if $(UPGRADE),--upgrade) $(RIVAL_PINS)/$$name.in --output-file $(RIVAL_PINS)/$$name.txt || exit; done

clean:
	rm -rf $(VENV) $(OLD_DUCKDB) $(SUPERSET) $(RIVALS) demo-data dist build $(CACHES)
	find . -name __pycache__ -type d -not -path "./data/*" -prune -exec rm -rf {} +

$(MADE): deployments/constraints.txt pyproject.toml $(MAKE_VENV)
	@$(MAKE_VENV) "$(PYTHON)" $(VENV) deployments/constraints.txt .
	@# On Python 3.13 luqum makes its parser's tables at its first import: here, and not in two tests at once.
	@$(RUN)python -c "import luqum.parser" 2>/dev/null
	@echo "$(CURDIR)" > $@

$(OLD_DUCKDB_MADE): deployments/duckdb-1.2.2.txt $(MAKE_VENV)
	@$(MAKE_VENV) "$(PYTHON)" $(OLD_DUCKDB) deployments/duckdb-1.2.2.txt
	@echo "$(CURDIR)" > $@

$(SUPERSET_MADE): $(SUPERSET_PINS) $(MAKE_VENV)
	@$(MAKE_VENV) "$(or $(SUPERSET_PYTHON),python3.12)" $(SUPERSET) $(SUPERSET_PINS)
	@echo "$(CURDIR)" > $@

$(RIVALS_MADE): $(RIVALS)/%/.made: $(RIVAL_PINS)/%.txt $(MAKE_VENV)
	@mkdir -p $(RIVALS)
	@$(MAKE_VENV) "$(PYTHON)" $(RIVALS)/$* $<
	@echo "$(CURDIR)" > $@
