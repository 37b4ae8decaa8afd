# Each target does all of its own set-up: nothing but make and Python 3.11+ is needed.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo up test faults soak bench bench-smoke lint audit licences generate docs format train evaluate clean

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## One sample picture through the whole service: install, start, segment, stop
	@$(BIN)/mainmask demo

up: $(VENV)/.installed ## Start everything and keep it: page and API on :8000, Flower on :5555
	@$(BIN)/mainmask up

test: $(VENV)/.installed-dev ## Every test, against real Postgres, Redis and S3
	@$(BIN)/python -m pytest

faults: $(VENV)/.installed-dev ## Kill processes and servers under load: no job may be lost (minutes)
	@$(BIN)/python -m pytest -m faults tests/faults

MINUTES ?= 5
soak: $(VENV)/.installed-dev ## Random faults under steady load, and an account of every job (MINUTES=5)
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

bench: $(VENV)/.installed-dev ## Measure speed and memory against the goals (over an hour, with the machine to itself)
	@$(BIN)/python -m tests.benchmarks

bench-smoke: $(VENV)/.installed-dev ## A little of every benchmark: do they run?
	@$(BIN)/python -m tests.benchmarks --smoke

lint: $(VENV)/.installed-dev ## Style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

audit: $(VENV)/.installed-dev ## Known vulnerabilities of all that is installed (asks PyPI)
	@$(PIP_INSTALL) pip-audit
	@$(BIN)/pip-audit --skip-editable --progress-spinner off

licences: $(VENV)/.installed-dev ## Everything that is deployed, with its version and licence: a table
	@$(BIN)/python -m tests.licences

ALERTS := docker/kubernetes/components/monitoring/alerts.yaml
generate: $(VENV)/.installed-dev ## Write anew what is made from the code: docs/openapi.json, docs/settings.md, Kubernetes' alert rules
	@$(BIN)/python -m api.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json
	@$(BIN)/python -m tests.docs.settings_page > docs/settings.md.new && mv docs/settings.md.new docs/settings.md
	@$(BIN)/python -m tests.docker.alerts_manifest > $(ALERTS).new && mv $(ALERTS).new $(ALERTS)

docs: $(VENV)/.installed-dev ## Build the handbook into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo "It is site/index.html; to search in it: python3 -m http.server --directory site"

format: $(VENV)/.installed-dev ## Put the code into the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

train: $(VENV)/.installed-dev ## Train the bundled checkpoints again (hours; resumes where it stopped)
	$(BIN)/python -m worker.tiny.train all

evaluate: $(VENV)/.installed-dev ## Measure the bundled checkpoints on held-out scenes
	$(BIN)/python -m worker.tiny.evaluate

clean: ## Remove the environment and what the tools cached; the data in .data stays
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mainmask needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …")'
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing mainmask with its servers and models (a minute or two, once) …"
	@$(PIP_INSTALL) --editable '.[api,worker,local]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the workshop: tests, linters, training …"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@
