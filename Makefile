# Everything that these targets need is installed into .venv; nothing else on the machine changes.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := $(VENV)/.peers
FREEZERS := $(VENV)/.freezers

.PHONY: help demo test coverage live frozen lint types codegen check bench smoke soak fuzz clean venv
# How long `make fuzz` takes.
MINUTES := 5
.DEFAULT_GOAL := help

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

venv: $(STAMP) ## Create .venv with everything needed

# uv is used if it is there; otherwise the newest Python from 3.11 on.
$(STAMP): pyproject.toml
	@set -e; \
	if command -v uv >/dev/null 2>&1; then \
	    echo "Installing into $(VENV) with uv ..."; \
	    test -x $(BIN)/python || uv venv --quiet --python '>=3.11' $(VENV); \
	    uv pip install --quiet --python $(BIN)/python --editable . --group dev; \
	else \
	    test -x $(BIN)/python || for python in python3 python3.14 python3.13 python3.12 python3.11 python none; do \
	        if [ $$python = none ]; then \
	            echo "make: no Python 3.11 or later was found; install one, or uv" >&2; exit 1; \
	        fi; \
	        if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	            echo "Installing into $(VENV) with $$($$python --version) ..."; \
	            $$python -m venv $(VENV); break; \
	        fi; \
	    done; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'; \
	    $(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@touch $@

# What is measured against; only the benchmarks need it.
$(PEERS): $(STAMP)
	@set -e; \
	if command -v uv >/dev/null 2>&1; then \
	    uv pip install --quiet --python $(BIN)/python --group bench; \
	else \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench; \
	fi
	@touch $@

# What makes and runs programs whose executable is no Python; only their tests need it.
$(FREEZERS): $(STAMP)
	@set -e; \
	if command -v uv >/dev/null 2>&1; then \
	    uv pip install --quiet --python $(BIN)/python --group frozen; \
	else \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --group frozen; \
	fi
	@touch $@

demo: $(STAMP) ## See the main job done, on a private port
	@$(BIN)/ollama-manager demo

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest -n auto -m "not types and not frozen"

coverage: $(STAMP) ## Run the tests, and see what of the package they reach, in all its processes
	@$(BIN)/python -m pytest -n auto -m "not types and not frozen" --cov --cov-report=term-missing:skip-covered

live: $(STAMP) ## Run only the tests that need a real Ollama
	@$(BIN)/python -m pytest -m live

frozen: $(FREEZERS) ## Run only the tests of frozen programs and uWSGI
	@$(BIN)/python -m pytest -q tests/frozen

lint: $(STAMP) ## Check style and layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## Check types
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -q -m types  # what users write, and the wheel

codegen: $(STAMP) ## Generate what is generated
	@./codegen.sh

check: lint types test ## Everything that CI checks
	@./codegen.sh --check

bench: $(PEERS) ## Measure: a call next to other clients, then the server's start, crash and idling
	@$(BIN)/python -m benchmarks.client --write-docs
	@$(BIN)/python -m benchmarks

smoke: $(PEERS) ## See that the benchmark of calls runs; no time is judged
	@$(BIN)/python -m benchmarks.client --smoke >/dev/null

soak: $(STAMP) ## Kill it all, a thousand times over, and count
	@$(BIN)/python -m benchmarks.soak
	@$(BIN)/python -m benchmarks.soak --storms

fuzz: $(STAMP) ## Look for bytes that the HTTP parser cannot take, for MINUTES=5
	@$(BIN)/python -m tests.unit.transport.fuzz $(MINUTES)

clean: ## Remove what was created here
	rm -rf $(VENV) build dist htmlcov .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache
