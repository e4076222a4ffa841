# Everything runs from a virtual environment in .venv; nothing needs root.
#   make demo            the story in numbers (JSON=1: one JSON object as last line)
#   make test            unit suites on CPython and MicroPython, two-process tests
#   make test-peers      programs nobody here wrote
#   make test-silicon    32-bit interpreter, emulated Cortex-M3
#   make soak            what takes an hour: boards left alone
#   make fetch           fetches into the user's cache what peers and silicon tests need
#   make bench           measurements: a table and build/bench.json
#   RETRY=1              a failed test is asked once more, shown, two at most of a run
#   STRICT=1             a missing peer or toolchain fails instead of being listed
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
SLOW := tests/silicon tests/interop
export STRICT

.PHONY: setup fetch demo lint test test-peers test-silicon soak bench mip clean

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
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

test: lint
	@$(PYTEST) -n 4 --dist worksteal $(SLOW:%=--ignore=%) tests

test-peers: $(VENV)/.test
	@$(PYTEST) tests/interop

test-silicon: $(VENV)/.test
	@$(PYTEST) -n 2 --dist worksteal tests/silicon

soak: $(VENV)/.test
	@$(PYTEST) -m soak tests

fetch: $(VENV)/.test
	@PYTHONPATH=tests $(BIN)/python tests/fetch.py

bench: $(VENV)/.test
	@PYTHONPATH=tests $(BIN)/python -m bench

mip: $(VENV)/.run
	@$(BIN)/python -m particle_tools.packing build/mip
	@$(BIN)/python -m particle_tools.packing --sources > package.json
	@$(BIN)/python -m particle_tools.firmware.manifests

clean:
	rm -rf build
