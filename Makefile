# Each target prepares its own .venv; nothing is needed beforehand but Python 3.11 to 3.13 and make.
.DEFAULT_GOAL := help
.PHONY: help demo test unit lint bench docs clean

VENV ?= .venv
BIN := $(VENV)/bin
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	if $$python -c '$(IS_SUPPORTED)' 2>/dev/null; then echo $$python; break; fi; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp ## Start the example on real servers and use it. KEEP=1 leaves it running.
	@$(BIN)/python -m examples.demo $(if $(KEEP),--keep)

test: $(VENV)/dev.stamp ## Run all tests on real servers.
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

unit: $(VENV)/dev.stamp ## Run the tests that need no server; seconds.
	@$(BIN)/python -m pytest -n 2 tests/kernel tests/auth tests/architecture tests/dsl --ignore=tests/auth/iam $(ARGS)

lint: $(VENV)/dev.stamp ## Check style, types and the import contract.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests/typing
	@$(BIN)/lint-imports

bench: $(VENV)/bench.stamp ## Measure against the bare framework: a table, results as JSON, a chart.
	@$(BIN)/python -m benchmarks

docs: $(VENV)/dev.stamp ## Build the documentation site into site/, and check every link of it.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/index.html"

clean: ## Remove the environment, the site and the data of the embedded servers.
	rm -rf $(VENV) .mysingle site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed, and none was found"; exit 2; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "error: no venv; on Debian: apt install python3-venv"; exit 2; }

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing mysingle[common-grpc,dsl,embedded,testing], about a minute the first time"
	@$(PIP) --editable '.[common-grpc,dsl,embedded,testing]' copier
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing mysingle[dev], about two minutes the first time"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/demo.stamp

$(VENV)/bench.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing mysingle[bench], about four minutes the first time"
	@$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/dev.stamp $(VENV)/demo.stamp
