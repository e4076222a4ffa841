# Everything runs from a virtual environment in .venv; nothing needs root.
#   make demo           the story in numbers (JSON=1: one JSON object as last line)
#   make test           unit suites on CPython and MicroPython, two-process tests
#   STRICT=1            a missing peer or toolchain fails instead of being listed
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export STRICT JSON

.PHONY: setup demo test lint clean

setup: $(VENV)/.test

$(VENV)/.run: pyproject.toml tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV)
	@touch $@

$(VENV)/.test: pyproject.toml tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV) test
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run
	@$(BIN)/particle-mp demo $(if $(JSON),--json)

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

test: lint
	@$(BIN)/python -m pytest -n 2 tests

clean:
	rm -rf build
