# Two environments: .venv serves (no torch), .venv-dev tests, checks, benches and trains. Both hold exactly what
# requirements/*.txt pins, hash by hash. pip brings uv into a fresh environment; uv does the rest.
#
#   PYTHON=python3.12 make serve     choose the interpreter (default: the first on PATH that is 3.11 or newer)
#   HOST=0.0.0.0 PORT=9000 make serve
#   make test ARGS="-k gate -x"      arguments for pytest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
ARGS ?=

# uv reads no pip configuration: behind a proxy or a mirror, tell it what the machine has told pip.
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The wheels of ONNX Runtime report usage to their maker, and keep a database for it in the home folder, unless told not to.
export ORT_DISABLE_TELEMETRY := 1

# $(call environment,FOLDER,REQUIREMENTS): makes FOLDER hold exactly what REQUIREMENTS pins, and stamps it. An
# environment whose interpreter has gone, or that was left half made, is made anew; any other is brought up to date.
define environment
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: Python 3.11 or newer is needed (PYTHON=/path/to/python make ...)" >&2; exit 1; }
	@echo "make: installing $(2) into $(1)"
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(1) \
		|| { echo "make: Python's venv module is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(1)/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/bootstrap.txt
	@$(1)/bin/uv pip sync --quiet --python $(1)/bin/python --require-hashes $(2)
	@touch $(1)/.ready
endef

.venv/.ready: requirements/serve.txt requirements/bootstrap.txt
	$(call environment,.venv,requirements/serve.txt)

.venv-dev/.ready: requirements/dev.txt requirements/bootstrap.txt
	$(call environment,.venv-dev,requirements/dev.txt)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: serve
serve: .venv/.ready ## Serve the bundled model on http://127.0.0.1:8000 (HOST, PORT, THORASCOPE_*)
	@exec .venv/bin/python -m service serve

.PHONY: test
test: .venv-dev/.ready ## Run the whole test suite
	@.venv-dev/bin/python -m pytest $(ARGS)

.PHONY: soak
soak: .venv-dev/.ready ## Run the fault tests of batch scoring at full size (some 20 minutes)
	@.venv-dev/bin/python -m pytest tests/service/jobs/test_faults.py tests/service/jobs/test_throughput.py --full-size -s --durations=0 $(ARGS)

.PHONY: check
check: .venv-dev/.ready ## Check format, lint, types, import contracts and the pins
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/ruff check .
	.venv-dev/bin/mypy
	.venv-dev/bin/lint-imports --no-logo
	@! grep -nEi -e '--(extra-)?index-url|--find-links|https?://' requirements/*.txt \
		|| { echo "make: requirements/ must name no package index" >&2; exit 1; }

.PHONY: format
format: .venv-dev/.ready ## Format the code and mend what the linter can mend
	.venv-dev/bin/ruff format .
	.venv-dev/bin/ruff check --fix .

.PHONY: bench
bench: .venv-dev/.ready ## Measure what the documentation states; writes bench.json
	@.venv-dev/bin/python -m training bench $(ARGS)

.PHONY: smoke
smoke: .venv-dev/.ready ## Run a few steps of every recipe on synthetic data
	@.venv-dev/bin/python -m training smoke $(ARGS)

# Pins are compiled for every platform and Python that pyproject.toml admits, with hashes and without index addresses.
# `make lock ARGS=--upgrade` takes newer versions; without it, what is pinned stays where it still satisfies.
COMPILE = .venv-dev/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS)
LOCK = $(COMPILE) -c requirements/constraints.txt pyproject.toml

.PHONY: lock
lock: .venv-dev/.ready ## Compile requirements/*.txt anew from pyproject.toml
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(LOCK) --extra serve -o requirements/serve.txt
	$(LOCK) --extra serve-gpu -o requirements/serve-gpu.txt
	$(LOCK) --extra train -o requirements/train.txt
	$(LOCK) --extra dev -o requirements/dev.txt

.PHONY: clean
clean: ## Remove caches and what the tools wrote; keeps the environments and var/
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench.json
	find models training service tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove both environments too
	rm -rf .venv .venv-dev
