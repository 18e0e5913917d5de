# whydx: make demo | test | slow | browser | lint | bench | install | schema
# PYTHON=python3.12 chooses the interpreter; IMAGE=/path NOTE="…" run the demo on your own image.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo test slow browser lint bench schema

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(firstword $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p; done) python3)
IMAGE ?=
NOTE ?=
export IMAGE NOTE

help:
	@sed -n '1,2s/^# //p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 13) or \
		sys.exit(f"error: whydx needs Python 3.11 or 3.12, $(PYTHON) is {v[0]}.{v[1]}; run: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || { echo "creating $(VENV) with $(PYTHON)" >&2; $(PYTHON) -m venv $(VENV); }
	@echo "installing whydx and its pinned dependencies (once; a few minutes)" >&2
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $@

demo:
	@started=$$SECONDS; stage() { printf '[%4d s] %s\n' $$((SECONDS - started)) "$$1" >&2; }; \
	$(MAKE) -s --no-print-directory install; stage "installed"; \
	$(BIN)/whydx data fetch; stage "open sources fetched and verified"; \
	$(BIN)/whydx index build; stage "graph, linker and indexes up to date"; \
	if [ -n "$$IMAGE" ]; then \
		$(BIN)/whydx diagnose "$$IMAGE" $${NOTE:+--note "$$NOTE"}; \
	else \
		$(MAKE) -s --no-print-directory build/demo/phantom.dcm; stage "phantom and note written to build/demo"; \
		note="@build/demo/note.txt"; [ -z "$$NOTE" ] || note="$$NOTE"; \
		$(BIN)/whydx diagnose build/demo/phantom.dcm --note "$$note"; \
	fi; stage "diagnosed"

build/demo/phantom.dcm: benchmarks/demo.py vision/phantom/radiograph.py vision/phantom/anatomy.py
	@$(BIN)/python -m benchmarks.demo build/demo

test: install
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not peer and not browser" $(ARGS)

# One after the other: some measure a time. Tests of an extra that is not installed are skipped with its name.
slow: install
	@OMP_NUM_THREADS=2 $(BIN)/python -m pytest -m "slow or peer" --durations=10 $(ARGS)

# In any Chromium on PATH; without one the tests are skipped and say so.
browser: install
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[browser]'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser $(ARGS)

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: install
	@$(BIN)/python -m benchmarks.first_figures

schema: install
	@$(BIN)/python -c 'from reports.json import schema_text; print(schema_text(), end="")' > docs/report.schema.json
