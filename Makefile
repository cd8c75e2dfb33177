# `make run` and `make test` do all the set-up. `make help` lists all commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# One more than there are cores: a test that waits for a process or a clock leaves its core to another.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
SEEDS ?= 1000
MINUTES ?= 120
TRIALS ?= 50
KILLS ?= 200
HISTORY ?= ../shared/history
SPENT := build/test-seconds.json

.PHONY: run help test test-fast coverage lint format hooks docs client console golden mutate simulate soak chaos chaos-orders recovery drill drills drill-load drill-cluster replay reset lock clean

run: $(VENV)/.run-ready ## start the whole system on the simulated exchange
	$(BIN)/eternal run $(ARGS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: $(VENV)/.dev-ready ## lint, types, layers and all tests (with ARGS: the tests that these name)
	$(MAKE) --no-print-directory lint
ifeq ($(strip $(ARGS)),)
	rm -f $(SPENT) && mkdir -p build
# What runs the whole system mostly waits, and comes first where both want a core: its steps have limits in seconds.
	{ $(BIN)/python -m pytest -m live --spent=$(SPENT); live=$$?; \
	  $(BIN)/python -m pytest -m "ray and not drill" --spent=$(SPENT); exit $$((live | $$?)); } > build/beside.txt 2>&1 & beside=$$!; \
	nice -n 10 $(BIN)/python -m pytest -m "not ray and not live and not drill" -n $(WORKERS) --dist loadfile --spent=$(SPENT); first=$$?; \
	wait $$beside; second=$$?; cat build/beside.txt; $(BIN)/python -m tests.budget $(SPENT); exit $$((first | second))
else
	$(BIN)/python -m pytest $(ARGS)
endif

test-fast: $(VENV)/.dev-ready ## the quick tests that need neither Ray nor the database: under 90 s on two cores
	$(BIN)/python -m pytest --fast -n auto --dist loadfile $(ARGS)

coverage: $(VENV)/.dev-ready ## lines and branches covered by the tests outside Ray, per package
	$(BIN)/python -m pytest -m "not ray and not live and not drill" -n $(WORKERS) --dist loadfile --cov --cov-report=json:build/coverage.json $(ARGS)
	$(BIN)/python -m tests.coverage_by_package build/coverage.json

lint: $(VENV)/.dev-ready ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev-ready ## format the code and apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/.dev-ready ## install hooks that check style, types and layers before each commit
	$(BIN)/pre-commit install

docs: $(VENV)/.run-ready ## generate state machines, documented configuration and its JSON Schema from the code
	$(BIN)/eternal diagrams
	$(BIN)/eternal config example
	$(BIN)/eternal config schema
	$(BIN)/eternal exchange document
	$(BIN)/python -m tests.simulation.matrix

client: $(VENV)/.dev-ready ## generate the typed client of the API from its OpenAPI document; `make test` compares it with what is in the repository
	$(BIN)/python -m tests.api.client

console: ## build the console from its sources (needs Node); `make test` compares the result with what is in the repository
	cd api/console && npm install --no-audit --no-fund && npm run check && npm run build

golden: $(VENV)/.dev-ready ## compare every decision on the recorded history and on a faulty synthetic market with the baseline
	$(BIN)/python -m tests.golden --history $(HISTORY) $(ARGS)

mutate: $(VENV)/.dev-ready ## plant a sample of small wrong changes in code that handles money; the tests must detect them
	$(BIN)/python -m tests.mutation $(ARGS)

simulate: $(VENV)/.dev-ready ## the whole system under seeded faults, money flows, commands and market moves: SEEDS=1000, then planted defects
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

soak: $(VENV)/.dev-ready ## the long tests with all their cases, then the live profile for MINUTES=120 under a scenario of faults
	$(BIN)/python -m pytest --soak --fuzz=5000 tests/simulation tests/infra/bybit/test_fuzz.py tests/infra/simulator \
		tests/infra/database/test_embedded.py tests/infra/backtest/test_runner.py tests/api/test_backtest_command.py \
		tests/infra/config/test_refusals.py tests/statemachines $(ARGS)
	$(BIN)/python -m tests.live.soak --minutes $(MINUTES)

chaos: $(VENV)/.dev-ready ## the drills, then 50 random kills and freezes of any process; the accounts must match an undisturbed run
	$(BIN)/python -m pytest -m drill tests/life tests/chaos tests/simulation
	$(BIN)/python -m tests.chaos.storm $(ARGS)

chaos-orders: $(VENV)/.dev-ready ## KILLS=200 random kills and freezes in the middle of bursts of orders: nothing may be lost or doubled
	$(BIN)/python -m tests.chaos.orders --kills $(KILLS) $(ARGS)

recovery: $(VENV)/.dev-ready ## kill each part of a running system TRIALS=50 times and break its streams in storms; each recovery within 10 s
	$(BIN)/python -m tests.chaos.recovery --trials $(TRIALS) $(ARGS)

drill: $(VENV)/.dev-ready ## the whole system in one process under SCENARIO=NAME (default: all), each with SEEDS of its chances
	$(BIN)/python -m tests.simulation.scenarios.drill $(SCENARIO) --seeds $(if $(filter 1000,$(SEEDS)),20,$(SEEDS)) $(ARGS)

drills: $(VENV)/.dev-ready ## the operator's drills: a day that falls 40 %, halt, flatten, restart, resume; in one process, then on the real system
	$(BIN)/python -m pytest tests/simulation/crash_day tests/layers $(ARGS)
	$(BIN)/python -m pytest -m drill tests/chaos/test_crash_day.py tests/chaos/test_flatten.py tests/chaos/orders/test_halt.py $(ARGS)

drill-load: $(VENV)/.dev-ready ## ten starts in a row on a machine that is overloaded fifteenfold; each must succeed without an alert
	$(BIN)/python -m tests.chaos.load $(ARGS)

drill-cluster: $(VENV)/.dev-ready ## two Ray nodes, control store in Redis: lose a node, the head (TRIALS=3 times); a second system waits its turn
	$(BIN)/python -m tests.chaos.cluster --trials $(if $(filter 50,$(TRIALS)),3,$(TRIALS)) $(ARGS)

replay: $(VENV)/.run-ready ## run the recorded market of 2020 to mid-2021 through the whole system, as fast as possible
	$(BIN)/eternal run --history $(HISTORY) --from 2020-01-01 --to 2021-06-30 --pace 0 --until-end $(ARGS)

reset: $(VENV)/.run-ready ## discard all state of the paper profile
	$(BIN)/eternal reset $(ARGS)

lock: $(VENV)/.dev-ready ## update the lock files from pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --no-emit-options --no-header -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --no-emit-options --no-header --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove the virtual environment and build results
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
