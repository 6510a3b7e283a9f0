# Two commands for a newcomer: `make study` and `make test`. Everything happens in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help install study test test-slow lint lab demo goldens benchmark clean

help:
	@echo "make install    just the installation that a schedule needs"
	@echo "make study      the demo company's latest quarter, as a report to open"
	@echo "make test       the everyday tests (under 15 minutes)"
	@echo "make test-slow  the long ones: coverage and recovery simulations"
	@echo "make lab        JupyterLab, at the notebook to start from"
	@echo "make lint       format, lint and type checks"
	@echo "make goldens    execute the committed notebooks again (their outputs are what nbval compares)"

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "winloss needs Python 3.11, 3.12 or 3.13; this is $$($(PYTHON) --version). Say which: make study PYTHON=python3.12"; exit 2; }
	@echo "Installing into $(VENV) (once, a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[test,postgres,export,slides]'
	@touch $@

# Without news and update pop-ups: JupyterLab reads this file from its own environment alone.
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings
QUIET := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}

$(VENV)/.lab: $(VENV)/.run
	@$(PIP) -e '.[lab]'
	@mkdir -p $(LAB_SETTINGS)
	@echo '$(QUIET)' > $(LAB_SETTINGS)/overrides.json
	@touch $@

install: $(VENV)/.run

study: $(VENV)/.run
	@$(BIN)/winloss run params/demo-2025Q4.yaml

test: $(VENV)/.test lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile --doctest-modules analytics tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout 120 notebooks

test-slow: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m slow tests

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

lab: $(VENV)/.lab
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb

goldens: $(VENV)/.run
	@$(BIN)/python -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

benchmark: $(VENV)/.test
	@$(PIP) -e '.[benchmark]'
	@$(BIN)/python tests/benchmarks/bench_incidence.py
	@$(BIN)/python tests/benchmarks/bench_hazards.py

clean:
	rm -rf $(VENV) reports .winloss-cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
