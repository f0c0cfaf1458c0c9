# Needs Python 3.11 or newer, make, and a package index that pip reaches. Everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --disable-pip-version-check
READY := $(VENV)/ready
DOCS_READY := $(VENV)/ready-docs
CORE_TESTED := build/core-tested

# The rooms that import no framework, and their tests. Compiled kernels do not count for coverage (pyproject.toml).
CORE := $(shell find src/retrograde tests -name '*.py' -not -path '*/torch/*' 2>/dev/null)
ENGINE_TESTS := tests/torch src/retrograde/torch
PYTEST := $(RUN)/python -m pytest

.PHONY: help demo test test-core test-engines test-slow check lint types coverage bench docs clean

help:  ## show this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## train a small GPT under several budgets, write retrograde-demo.html
	$(RUN)/retrograde demo

test: test-core test-engines  ## run the tests, without the slow ones

test-core: $(READY)
	@mkdir -p build
	@rm -f $(CORE_TESTED)
	$(PYTEST) -q -n 2 --dist worksteal -m "not slow" $(addprefix --ignore=,$(ENGINE_TESTS)) --cov --cov-report= --cov-fail-under=0
	@touch $(CORE_TESTED)

test-engines: $(READY)
	$(PYTEST) -q -m "not slow" $(ENGINE_TESTS)

test-slow: $(READY)  ## run the slow tests, on new random examples each time
	EXPLORE=1 $(PYTEST) -q -m slow

check: lint types coverage  ## ruff, pyright, and coverage of the framework-free rooms

lint: $(READY)
	$(RUN)/ruff check
	$(RUN)/ruff format --check

types: $(READY)
	$(RUN)/pyright

# `make test` leaves the coverage data; the tests run again only if something changed since.
coverage: $(CORE_TESTED)
	$(RUN)/coverage report

$(CORE_TESTED): $(CORE) pyproject.toml | $(READY)
	$(MAKE) test-core

bench: $(READY)  ## run the benchmarks (long), write build/torch_one_graph.json
	@mkdir -p build
	$(RUN)/python benchmarks/torch_one_graph.py --json build/torch_one_graph.json

docs: $(DOCS_READY)  ## build the documentation into build/docs
	$(RUN)/sphinx-build -q -W --keep-going docs build/docs
	@echo "open build/docs/index.html"

clean:  ## remove what was built; .venv stays (remove it by hand to install afresh)
	rm -rf build dist htmlcov .coverage .coverage.* .pytest_cache .ruff_cache .hypothesis
	rm -f retrograde-demo.html retrograde-compare.html
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Installs in two steps, because pip applies constraints to a package's build requirements only without isolation.
$(READY): pyproject.toml constraints.txt
	@$(if $(PYTHON),,echo "No Python found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1;) \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "retrograde needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Install one, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet -c constraints.txt hatchling editables
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[torch,dev,plot,integrations]'
	@touch $@

$(DOCS_READY): $(READY)
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[docs]'
	@touch $@
