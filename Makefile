# Every target sets up what it needs by itself: VENV, from the locks in deploy/locks. `make help` lists them.
SHELL := bash
.DEFAULT_GOAL := help

# PYTHON       the interpreter for VENV, 3.11 to 3.13; by default the one that VENV has, else the first on PATH that fits
# VENV         where the set-up goes, .venv; another one is for another Python, e.g. build/venv-3.13
# EXTRAS       which of the project's extras are installed, instead of those that the target needs; nothing is uninstalled
# TORCH_INDEX  where torch comes from, e.g. the CPU index of pytorch: PyPI's build for Linux is a CUDA build of several GB
# CHAOS_SEED   which storm `make chaos` makes; by default another one each time
# CHAOS_KILLS  how many kills it has, 30
# CHAOS_QUESTIONS  how many questions are asked meanwhile, 600
# CHAOS_FAULTS  which other faults it has, e.g. outages=2,terminations=5; without it all of them
# CHAOS_ACCOUNTS  true: with the accounts of deploy/nats-accounts.conf, without the faults that only an administrator can mend
# PART         what `make bench` measures: engines, messaging, bridge, scaling, start, chats or voice; without it everything
# VOICE_LIST   which questions `make bench PART=voice` asks, test, second or halfway
# VOICE        where `make voice` trains, build/voice
# CONTAINERS_SETUP  a command that starts a Docker engine, for `make test-containers` where none runs
# CONTAINERS_ENV    lines for the .env of its clones, e.g. TORCH_INDEX=…
# ARGS         more arguments for the program that the target runs, e.g. make test ARGS="-k splitting"
PYTHON ?=
VENV ?= .venv
EXTRAS ?=
TORCH_INDEX ?=
ARGS ?=
VOICE ?= build/voice
export CHAOS_SEED CHAOS_KILLS CHAOS_QUESTIONS CHAOS_ACCOUNTS

BIN := $(VENV)/bin
# What the demo takes; what every command takes but training and models that need converting; what developing takes: with torch.
DEMO := sandbox openvino speedups
RUN := userbot sandbox rabbitmq openai openvino speedups
ALL := $(RUN) transformers training
set-up = @PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH_INDEX="$(TORCH_INDEX)" bash deploy/setup.sh $(1) </dev/null >&2

.NOTPARALLEL:
.PHONY: set-up-demo set-up-run set-up-dev set-up-bench
set-up-demo:
	$(call set-up,$(or $(EXTRAS),$(DEMO)))
set-up-run:
	$(call set-up,$(or $(EXTRAS),$(RUN)))
set-up-dev:
	$(call set-up,dev $(or $(EXTRAS),$(ALL)))
set-up-bench:
	$(call set-up,dev bench $(or $(EXTRAS),$(ALL)))

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@awk '/^# [A-Z_]+  +/ { sub(/^# /, "     "); print }' $(MAKEFILE_LIST)

.PHONY: demo
demo: set-up-demo ## the whole product on this machine, with a chat in the terminal (piped input works too)
	@exec $(BIN)/timokha demo $(ARGS)

.PHONY: test
test: set-up-dev ## the tests, without the long suites
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: test-full
test-full: set-up-dev ## all tests, the long suites too
	@$(BIN)/python -m pytest -m "not containers" --hypothesis-profile=long $(ARGS)

.PHONY: test-containers
test-containers: set-up-dev ## the product in containers, from a clone of the last commit; skipped without a Docker engine
	@$(BIN)/python -m pytest -m containers -p no:xdist --capture=no -v tests/containers $(ARGS)

.PHONY: chaos
chaos: set-up-dev ## kills, freezes and cuts at random under load; the count goes to build/chaos.json
	@$(BIN)/python -m tests.chaos.run

.PHONY: bench
bench: set-up-bench ## speed, beside what is promised of it; the figures go to build/bench.json
	@$(BIN)/python -m benchmarks $(PART)

.PHONY: structure
structure: set-up-dev ## lines, private functions used once, and how often one question changes files (ARGS=--verbose: which)
	@$(BIN)/python -m tests.structure.run $(ARGS)

# How: training/voice/fit.toml. The time that it takes is nearly all that of `train fit`.
.PHONY: voice
voice: set-up-dev ## train the default model's voice anew from training/voice/talks, to functions/generate/voice
	rm -rf $(VOICE)/export $(VOICE)/data $(VOICE)/run $(VOICE)/model
	$(BIN)/python -m training.voice report
	$(BIN)/python -m training.voice export --out $(VOICE)/export
	$(BIN)/timokha train prepare --export $(VOICE)/export --owner Timokha --out $(VOICE)/data --context-turns 20 \
		--validation-share 0.04 --test-share 0.02
	$(BIN)/python -m training.voice examples --data $(VOICE)/data
	$(BIN)/python -m training.voice losses --data $(VOICE)/data
	$(BIN)/python -m training.voice vary --data $(VOICE)/data
	$(BIN)/timokha train fit --config training/voice/fit.toml --data $(VOICE)/data --out $(VOICE)/run $(ARGS)
	$(BIN)/timokha train evaluate --run $(VOICE)/run --dialogues 60 --samples 10
	$(BIN)/timokha train export --run $(VOICE)/run --to $(VOICE)/model
	$(BIN)/python -m training.voice ship --run $(VOICE)/run --model $(VOICE)/model

.PHONY: check
check: set-up-dev ## formatting, lint, types, and who may import whom
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: set-up-dev ## format the code and mend what the linter can mend
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

.PHONY: docs
docs: set-up-dev ## write docs/settings.md and .env.example anew from the settings classes
	@PYTHONPATH=. $(BIN)/python docs/settings.py

.PHONY: up
up: ## everything in containers, with docker compose; also after a change of .env or an upgrade
	@sh deploy/up.sh $(ARGS)

.PHONY: venv
venv: set-up-run ## just the set-up: without torch unless EXTRAS asks for it (transformers: any model; training)

.PHONY: wheel
wheel: set-up-run ## a wheel of this checkout, in dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . </dev/null
	@ls dist/*.whl

.PHONY: lock
lock: ## write deploy/locks anew from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(call set-up)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv </dev/null
	@UPGRADE="$(UPGRADE)" bash deploy/lock.sh

.PHONY: clean
clean: ## remove .venv and everything that was built
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
