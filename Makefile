# Everything a developer, an operator's first look, and CI call. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITE ?= foundation
# bench-engine: sizes of the simulated clouds, and the commit to compare with (before what is recorded in evidence.md).
NODES ?= 100,1000,10000
AGAINST ?= 4e941dd
# bench-node: the commit to compare with, before what makes a node's work less.
BEFORE ?= a58c770
PARALLEL := --numprocesses=2 --dist=loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help venv host demo test acceptance bench-network bench-engine bench-node bench-salt lint

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

venv: $(BIN)/.ready ## the Python environment, with Salt and the test tools

host: ## install the Debian packages that the lab needs (as root)
	tests/lab/install-host-packages

demo: host venv ## boot a small cloud and update it from 1.0.0 to 1.0.1
	$(BIN)/python -m tests.lab.demo

# Nothing decides from a sentence: unit and integration tests run with every one of them replaced (--reworded),
# and then those that are about sentences as they are.
# What machines are made of is built beside them where the cache lacks it: it waits for mirrors more than it computes.
# Two processes share the tests file by file, and what takes longest goes first. Each has a machine of its own for
# the functional tests. What measures packets, and the lab, have the host to themselves.
test: host venv lint ## lint, unit, functional, integration and the short lab suite
	nice $(BIN)/python -m tests.lab build & building=$$!; \
	$(BIN)/python -m pytest $(PARALLEL) -m 'not long' --reworded tests/integration tests/unit; tested=$$?; \
	wait $$building && exit $$tested
	$(BIN)/python -m pytest -m wording $(shell grep -rl --include='test_*.py' mark.wording tests/unit)
	$(BIN)/python -m pytest $(PARALLEL) -m 'not long' tests/functional --ignore=tests/functional/network
	$(BIN)/python -m pytest tests/functional/network tests/lab --ignore=tests/lab/acceptance

acceptance: host venv ## the long lab suites: make acceptance SUITE=foundation
	$(BIN)/python -m pytest --capture=no $(if $(filter functional integration,$(SUITE)),-m long tests/$(SUITE),$(or $(wildcard tests/lab/acceptance/$(SUITE)/),tests/lab/acceptance/test_$(SUITE).py))

bench-network: host venv ## packets lost and gaps of the OVN and OVS stages, ours against plain restarts and replacements
	$(BIN)/python -m tests.lab.bench_network

bench-engine: venv ## CPU of the engine, journal and screens for 100 to 10,000 simulated nodes, and the ratio to AGAINST=commit
	$(BIN)/python -m tests.bench.engine --nodes $(NODES) --against '$(AGAINST)'

bench-node: host venv ## a small cloud of machines: update, no-op, state.apply and restarts, and the ratio to BEFORE=commit
	$(BIN)/python -m tests.bench.node --against '$(BEFORE)'

bench-salt: venv ## a real master and simulated minions: status, update and no-op, with FOR='--nodes 100,300 --large'
	$(BIN)/python -m tests.bench.salt_scale $(FOR)

lint: venv ## ruff, mypy, salt-lint, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/salt-lint $$(git ls-files '*.sls' ':!pillar')
	$(BIN)/yamllint --strict $$(git ls-files 'pillar/*.sls' '*.yaml' '*.yml') Saltfile etc/master etc/master.large etc/minion etc/salt-api/live-page.conf
