# orthotype: `make demo` runs the main job on bundled real cells, `make test` checks everything.
# Both set up what they need in .venv and are quick the second time.
VENV ?= .venv
BIN := $(VENV)/bin
CANDIDATES := $(PYTHON) python3 python3.13 python3.12 python3.11
DEMO ?= orthotype-demo

.PHONY: help demo test lint docs clean

help:
	@echo "make demo   label human cells with a model trained on mouse cells; ends with a report to open"
	@echo "make test   linters, types, layers and all tests"
	@echo "make lint   linters, types and layers alone"
	@echo "make clean  remove the virtual environment, caches and the demo folder"

demo: $(VENV)/.installed
	$(BIN)/orthotype demo --output $(DEMO) --force

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist orthotype-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A working Python of at least 3.11: the first candidate that really runs.
$(BIN)/python:
	@for python in $(CANDIDATES); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "orthotype needs Python 3.11 or newer; none of '$(CANDIDATES)' is. Name one: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	"$$found" -m venv $(VENV) || { echo "could not create $(VENV): on Debian and Ubuntu install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.installed
