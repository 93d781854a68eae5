.DEFAULT_GOAL := help
.PHONY: help install install-dev run test check lock

# The first Python on the path that is new enough; `make PYTHON=/path/to/python3 ...` overrides.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$each -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$each && break; done)

# Processes that share the tests. Most of their time is waiting; 0 runs them in one, in order.
TESTERS ?= 3

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile pyproject.toml --quiet --upgrade \
	--strip-extras --allow-unsafe --generate-hashes --no-emit-options --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /make \1: /p' Makefile

install: .venv/.runtime ## Set up .venv from the lock, nothing else
install-dev: .venv/.dev ## The same with what tests and checks need

run: install ## Start everything on this machine: http://127.0.0.1:8000
	@exec $(BIN)/inturn serve

test: install-dev ## Run the tests; those of a service that does not answer are skipped
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

check: install-dev ## Everything that must hold before a change lands; needs the services
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	INTURN_TEST_REQUIRE_SERVICES=1 $(MAKE) test PYTEST="--durations=15 $(PYTEST)"

lock: install-dev ## Renew both locks from pyproject.toml
	$(LOCK) --build-deps-for=editable --output-file=requirements.lock
	$(LOCK) --extra=dev --build-deps-for=editable --constraint=requirements.lock \
		--output-file=requirements-dev.lock

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Inturn needs Python 3.11 or newer: install it and run make again." >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { echo "Inturn needs Python 3.11 or newer, and $(PYTHON) is older or missing." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python cannot make a virtual environment: install its venv package (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@
