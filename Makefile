# Everything on a machine with Python, make and a package index: `make demo` and `make test`.
# What is missing (uv, the interpreter of .python-version, the locked packages) is put into .tools and .venv.

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-fast lint format ui bench uv sync-demo sync-dev
.SUFFIXES:

# An active environment must not leak into the project's own.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH UV_PROJECT_ENVIRONMENT

# Asked for its version because a version manager's shim may be there without a uv behind it.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/bin/uv)
PYTHONS ?= python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3 python
JOBS ?= 2
DEMO ?= cdnow
CONFIG ?= $(firstword $(wildcard clv.toml data/$(DEMO)/clv.toml))
BENCH ?=

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: sync-demo  ## set up and run the whole chain on a demo data set (DEMO=cdnow, journey or texas)
	.venv/bin/clv demo $(DEMO)

test: lint  ## set up, then lint, type-check and run the tests that fit into minutes
	.venv/bin/pytest -n $(JOBS) --dist worksteal -m "not long"

test-long: sync-dev  ## the tests that take a minute or more each; CI runs them after the others
	.venv/bin/pytest -n $(JOBS) --dist worksteal -m long

test-fast: sync-dev  ## the tests that take no more than a few seconds
	.venv/bin/pytest -n $(JOBS) --dist worksteal -m "not slow and not long"

lint: sync-dev  ## lint, formatting and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/basedpyright

format: sync-dev  ## format, and fix what the linter can fix
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

ui: sync-demo  ## the web interface and its daemon on clv.toml, or else on the demo (CONFIG=path)
	.venv/bin/clv ui $(if $(CONFIG),--config $(CONFIG))

bench: sync-demo  ## measure speed side by side with bare queries (BENCH="--quick" for a small one)
	.venv/bin/python benchmarks/measure.py $(BENCH)

sync-demo: uv
	@echo "Installing the locked packages into .venv"
	@$(UV) sync --frozen --inexact --no-dev --extra demo
	@.venv/bin/python -c 'from clv_pipeline.report.bundle import set_up_bundle; set_up_bundle()'

sync-dev: uv
	@echo "Installing the locked packages, tools and demo data into .venv"
	@$(UV) sync --frozen --extra demo
	@.venv/bin/python -c 'from clv_pipeline.report.bundle import set_up_bundle; set_up_bundle()'

uv:
	@$(UV) --version 2>/dev/null || $(MAKE) --no-print-directory .tools/bin/uv

.tools/bin/uv:
	@echo "Installing uv into .tools"
	@for python in $(PYTHONS); do \
		rm -rf .tools; \
		if "$$python" -m venv .tools >/dev/null 2>&1 \
			&& .tools/bin/python -m pip install --disable-pip-version-check --quiet uv; \
		then exit 0; fi; \
	done; \
	rm -rf .tools; \
	echo "No Python here could install uv: install uv, or Python with its venv module" >&2; \
	exit 1
