# Two commands do all the set-up: `make run` and `make test`. `make help` lists all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
HISTORY ?= ../shared/history
SPENT := build/test-seconds.json

.PHONY: run help test test-fast coverage lint format hooks docs golden mutate soak chaos drill-load replay reset lock clean

run: $(VENV)/.run-ready ## start the whole system on the simulated exchange
	$(BIN)/eternal run $(ARGS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: $(VENV)/.dev-ready ## lint, types, storeys and all tests (with ARGS: the tests that these name)
	$(MAKE) --no-print-directory lint
ifeq ($(strip $(ARGS)),)
	rm -f $(SPENT)
	$(BIN)/python -m pytest -m "not ray and not drill" -n auto --dist loadfile --spent=$(SPENT)
	$(BIN)/python -m pytest -m "ray and not drill" --spent=$(SPENT)
else
	$(BIN)/python -m pytest $(ARGS)
endif

test-fast: $(VENV)/.dev-ready ## what needs neither Ray nor the database and is quick: under 90 s on two cores
	$(BIN)/python -m pytest --fast -n auto --dist loadfile $(ARGS)

coverage: $(VENV)/.dev-ready ## lines and branches that the tests outside Ray reach, per package
	$(BIN)/python -m pytest -m "not ray and not drill" -n auto --dist loadfile --cov --cov-report=json:build/coverage.json $(ARGS)
	$(BIN)/python -m tests.coverage_by_package build/coverage.json

lint: $(VENV)/.dev-ready ## style, types and storeys
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev-ready ## put the code into the common form, mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/.dev-ready ## check style, types and storeys before each commit from now on
	$(BIN)/pre-commit install

docs: $(VENV)/.run-ready ## what is generated from the code: state machines, documented configuration, its JSON Schema
	$(BIN)/eternal diagrams
	$(BIN)/eternal config example
	$(BIN)/eternal config schema

golden: $(VENV)/.dev-ready ## every decision on the recorded history and on a faulty synthetic market, against the baseline
	$(BIN)/python -m tests.golden --history $(HISTORY) $(ARGS)

mutate: $(VENV)/.dev-ready ## a sample of small wrong changes to what decides about money; the tests must notice them
	$(BIN)/python -m tests.mutation $(ARGS)

soak: $(VENV)/.dev-ready ## the long tests with all their cases: 50 futures, 100 interruptions, 5,000 mutated answers and frames
	$(BIN)/python -m pytest --soak --fuzz=5000 tests/simulation tests/infra/bybit/test_fuzz.py tests/infra/simulator \
		tests/statemachines $(ARGS)

chaos: $(VENV)/.dev-ready ## the drills, then 50 random kills and freezes of any process; the books must be as after a calm run
	$(BIN)/python -m pytest -m drill tests/life tests/chaos
	$(BIN)/python -m tests.chaos.storm $(ARGS)

drill-load: $(VENV)/.dev-ready ## starts on a machine that is overloaded fifteenfold, ten in a row; each must come up without an alarm
	$(BIN)/python -m tests.chaos.load $(ARGS)

replay: $(VENV)/.run-ready ## the recorded market of 2020 to mid-2021 through the whole system, as fast as it settles
	$(BIN)/eternal run --history $(HISTORY) --from 2020-01-01 --to 2021-06-30 --pace 0 --until-end $(ARGS)

reset: $(VENV)/.run-ready ## discard all state of the paper profile
	$(BIN)/eternal reset $(ARGS)

lock: $(VENV)/.dev-ready ## renew the lock files from pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --no-emit-options --no-header -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --no-emit-options --no-header --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed; this is " + sys.version.split()[0] + ". Name another one: make run PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: $(VENV)/bin/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.dev-ready: $(VENV)/.run-ready requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
