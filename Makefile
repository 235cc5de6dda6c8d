# make demo | test | check | site | bench | bench-long: each makes .venv from requirements.lock first if it's missing.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
RUNTIMES := src/redraft/execute/v8/runtime src/redraft/execute/python/runtime
READY := $(RUNTIMES:%=%/dist/manifest.json)

.PHONY: demo test check site lowest newest bench bench-long docs lock clean
.DEFAULT_GOAL := demo

$(INSTALLED): requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "redraft needs Python 3.11 or newer: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (once; a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Installing bundles the runtimes' JavaScript; this does it again when the JavaScript was changed since.
$(READY): $(INSTALLED) $(foreach folder,$(RUNTIMES),$(wildcard $(folder)/build.mjs $(folder)/package-lock.json $(folder)/src/*.js $(folder)/src/*/*.js))
	@$(BIN)/python hatch_build.py
	@touch $@

demo: $(READY)  ## simulate a class, train three models on it, evaluate them, write runs/demo/report.html
	$(BIN)/redraft demo --out runs/demo

test: $(READY)  ## all tests, on two processes of one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: $(READY)  ## layout, style, types, layers, docs and their links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_docs.py

site: $(READY)  ## the documentation as pages, in the folder site; broken links end it
	$(BIN)/python docs/site.py

lowest: $(READY)  ## does the oldest version of each dependency that pyproject.toml allows fit with the others?
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --output-file build/lowest.txt pyproject.toml
	@echo "Lowest dependencies resolve: $$(grep -c == build/lowest.txt) packages (build/lowest.txt)"

newest:  ## the checks on the newest Python of this machine
	.ci/newest

bench: $(READY)  ## speed, as ratios of two things in one run
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/metrics.py
	$(BIN)/python bench/execute.py
	$(BIN)/python bench/prepare.py
	$(BIN)/python bench/train.py
	$(BIN)/python bench/sample.py

bench-long: $(READY)  ## hours: bits after equal compute, ours and the paper's; what the instruments find
	$(BIN)/redraft ingest rollouts ../shared/data/rollouts/all_*.json.xz --out runs/bench/rollouts.dataset
	$(BIN)/python bench/recipes.py runs/bench/rollouts.dataset runs/bench/recipes docs/results
	$(BIN)/python bench/validity.py
	$(BIN)/python bench/traces_teach.py runs/bench/traces-teach

docs: $(READY)  ## write the generated pages: docs/cli.md, docs/metrics.md
	$(BIN)/python -m redraft.cli.reference > docs/cli.md
	$(BIN)/python -m redraft.metrics.reference

lock:  ## resolve pyproject.toml anew into requirements.lock
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0 -e '.[dev]'
	.venv-lock/bin/python -m pip freeze --all --exclude-editable --exclude pip | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-3.* runs build dist site
