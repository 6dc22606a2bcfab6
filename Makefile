# Every target first installs what it needs into VENV, from the locks in deploy/locks. `make help` lists the targets.
SHELL := bash
.DEFAULT_GOAL := help

# PYTHON       the interpreter for VENV, 3.11 to 3.13; by default VENV's own, else the first on PATH that fits
# CLIENT       the Telegram client, pyrogram or kurigram. kurigram has a VENV of its own, for which `make test` brings no torch and
#              no model: the tests that need them are left out, unless EXTRAS names all; `make test-full` brings them
# VENV         where packages are installed: .venv, or build/venv-kurigram; use another one for another Python, e.g. build/venv-3.13
# EXTRAS       which of the project's extras to install, instead of those that the target needs; nothing is uninstalled
# TORCH_INDEX  the index to install torch from, e.g. pytorch's CPU index: PyPI's build for Linux is a CUDA build of several GB
# CHAOS_SEED   the seed of the storm that `make chaos` runs; by default a new one each time
# CHAOS_KILLS  how many kills, 30
# CHAOS_QUESTIONS  how many questions meanwhile, 600
# CHAOS_FAULTS  which other faults, e.g. outages=2,terminations=5; by default all
# CHAOS_ACCOUNTS  true: with the accounts of deploy/nats-accounts.conf, without the faults that only an administrator can repair
# CHAOS_BUSINESS  true: with business connections (CLIENT=kurigram)
# CHAOS_OWNER  true: with owners who approve, pause, give orders and change timokha.toml meanwhile
# CHAOS_TWIN   true: users also write without the prefix, in bursts, with typing, edits and deletions, and in a group
# SIM_SEEDS    the seeds that `make simulate` plays: how many, 300, or FIRST-LAST
# SIM_SEED     the only one, whose log it prints
# SIM_AIMED    how many second plays are aimed at most, where no crash has met the product; as many as there are
# SIM_PLAN     the file of a plan to play instead, as `make simulate` writes of a seed that fails
# PLANTED      the faults that `make simulate-planted` plants, comma-separated; by default all
# MUTANTS      which mutants `make mutants` tests, e.g. "edge.userbot.rules.*"; by default all
# MUTANTS_AT_ONCE  how many at a time, by default one a core
# SOAK_MINUTES  how long `make soak` asks, 40
# SOAK_USERS   how many users ask meanwhile, each about once in 45 s, 200
# SOAK_SEED    the seed of its users and kills; by default a new one each time
# PART         what `make bench` measures: engines, messaging, bridge, scaling, elastic, capacity, start, chats, bursts, voice, past or training; by default everything
# VOICE_LIST   which questions `make bench PART=voice` asks: test, second or halfway
# VOICE        where `make voice` trains, build/voice
# CONTAINERS_SETUP  a command that starts a Docker engine, for `make test-containers` if none runs
# CONTAINERS_ENV    lines for the .env of its clones, e.g. TORCH_INDEX=…
# VERSION      what `make version` writes, and `make release` releases
# ARGS         further arguments for the program that the target runs, e.g. make test ARGS="-k splitting"
CLIENT ?= pyrogram
PYTHON ?=
VENV ?= $(if $(filter kurigram,$(CLIENT)),build/venv-kurigram,.venv)
EXTRAS ?=
TORCH_INDEX ?=
ARGS ?=
VERSION ?=
VOICE ?= build/voice
export CHAOS_SEED CHAOS_KILLS CHAOS_QUESTIONS CHAOS_ACCOUNTS CHAOS_BUSINESS CHAOS_OWNER CHAOS_TWIN SIM_SEED SIM_SEEDS SIM_AIMED SIM_PLAN PLANTED
export SOAK_MINUTES SOAK_USERS SOAK_SEED MUTANTS MUTANTS_AT_ONCE

BIN := $(VENV)/bin
# The extra with the client.
TELEGRAM_pyrogram := userbot
TELEGRAM_kurigram := kurigram
TELEGRAM := $(or $(TELEGRAM_$(CLIENT)),$(error CLIENT=$(CLIENT): choose pyrogram or kurigram))
# For the demo; for every command except training and converting models; for development, with torch; for `make test`, which
# with kurigram does without what is the same with either client.
DEMO := $(TELEGRAM) sandbox openvino speedups
RUN := $(TELEGRAM) sandbox rabbitmq openai openvino speedups
ALL := $(RUN) transformers training
TEST_pyrogram := $(ALL)
TEST_kurigram := $(TELEGRAM) sandbox rabbitmq speedups
set-up = @PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH_INDEX="$(TORCH_INDEX)" bash deploy/setup.sh $(1) </dev/null >&2

.NOTPARALLEL:
.PHONY: set-up-demo set-up-run set-up-test set-up-dev set-up-bench set-up-mutants
set-up-demo:
	$(call set-up,$(or $(EXTRAS),$(DEMO)))
set-up-run:
	$(call set-up,$(or $(EXTRAS),$(RUN)))
set-up-test:
	$(call set-up,dev $(or $(EXTRAS),$(TEST_$(CLIENT))))
set-up-dev:
	$(call set-up,dev $(or $(EXTRAS),$(ALL)))
set-up-bench:
	$(call set-up,dev bench $(or $(EXTRAS),$(ALL)))
set-up-mutants:
	$(call set-up,dev mutants $(or $(EXTRAS),$(TEST_$(CLIENT))))

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@awk '/^# ([A-Z_]+)?  +/ { sub(/^# /, "     "); print }' $(MAKEFILE_LIST)

.PHONY: demo
demo: set-up-demo ## run the whole product on this machine, with a chat in the terminal (piped input works too)
	@exec $(BIN)/timokha demo $(ARGS)

.PHONY: test
test: set-up-test ## run the tests, without the long suites
	@$(BIN)/python -m pytest $(ARGS)

# Each other Python has an environment of its own.
.PHONY: test-full
test-full: set-up-dev ## run all tests, including the long suites, then `make test` on each other Python that is here
	@$(BIN)/python -m pytest -m "not containers" --hypothesis-profile=long $(ARGS)
	@for python in $$(VENV="$(VENV)" bash .ci/pythons); do \
		$(MAKE) test PYTHON="$$python" VENV="build/venv-$(CLIENT)-$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" || exit 1; \
	done

# Training, engines, the sandbox and what takes a real server have their tests elsewhere.
.PHONY: coverage
coverage: set-up-test ## run the fast tests and fail if they cover less of the code than pyproject.toml says; 3 minutes of CPU
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --cov --cov-report=term --ignore-glob='*crash*' \
		tests/unit tests/runtime tests/recordings $(ARGS)

.PHONY: mutants
mutants: set-up-mutants ## change the pure rules in one place at a time and run their tests; the report goes to build/mutants.json
	@$(BIN)/python -m tests.mutants.run

.PHONY: test-containers
test-containers: set-up-dev ## test the product in containers, from a clone of the last commit; skipped without a Docker engine
	@$(BIN)/python -m pytest -m containers -p no:xdist --capture=no -v tests/containers $(ARGS)

.PHONY: chaos
chaos: set-up-dev ## kill, freeze and cut off processes at random under load; the report goes to build/chaos.json
	@$(BIN)/python -m tests.chaos.run

.PHONY: simulate
simulate: set-up-dev ## play the whole product in one process on virtual time, many seeds; the report goes to build/simulation.json
	@$(BIN)/python -m tests.simulation.run

.PHONY: simulate-planted
simulate-planted: set-up-dev ## break the product, in one way after the other, until a seed finds it; the report goes to build/planted.json
	@$(BIN)/python -m tests.simulation.planted.run

.PHONY: soak
soak: set-up-dev ## let many users ask for a long time, with kills, and measure what grows; the report goes to build/soak.json
	@$(BIN)/python -m tests.soak.run

.PHONY: bench
bench: set-up-bench ## measure speed and compare it with the targets; the figures go to build/bench.json
	@$(BIN)/python -m benchmarks $(PART)

.PHONY: structure
structure: set-up-dev ## count lines, private functions used once, and file switches of one question (ARGS=--verbose: which)
	@$(BIN)/python -m tests.structure.run $(ARGS)

# The settings are in training/voice/fit.toml. Nearly all of the time is spent in `train fit`.
.PHONY: voice
voice: set-up-dev ## train the default model's voice from training/voice/talks into functions/generate/voice
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
check: set-up-dev ## check formatting, lint, types and import rules, and look for secrets
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline

.PHONY: secrets
secrets: set-up-dev ## take what looks like a secret, and is none, into .secrets.baseline; look at its diff
	$(BIN)/python -m deploy.secret_baseline

.PHONY: audit
audit: set-up-dev ## look for known vulnerabilities of the locked packages, and judge their licences
	@$(BIN)/python -m deploy.audit $(ARGS)
	@PYTHONPATH=. $(BIN)/python docs/licences.py --check

.PHONY: format
format: set-up-dev ## format the code and fix what the linter can fix
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

.PHONY: docs
docs: set-up-dev ## generate docs/settings.md, .env.example and docs/licences.md
	@PYTHONPATH=. $(BIN)/python docs/settings.py
	@PYTHONPATH=. $(BIN)/python docs/licences.py

.PHONY: recording
recording: set-up-demo ## run the demo and draw it: docs/demo.svg and docs/trace.svg
	@PYTHONPATH=. $(BIN)/python docs/recording.py

.PHONY: up
up: ## run everything in containers, with docker compose; also after a change of .env or an upgrade
	@sh deploy/up.sh $(ARGS)

.PHONY: venv
venv: set-up-run ## only install: without torch unless EXTRAS asks for it (transformers: any model; training)

.PHONY: wheel
wheel: set-up-run ## build a wheel of this checkout, in dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . </dev/null
	@ls dist/*.whl

.PHONY: version
version: set-up-run ## write VERSION=1.2.3 in every place that names it, and into CHANGELOG.md
	@$(BIN)/python -m deploy.release write "$(VERSION)"

.PHONY: release
release: set-up-run ## check that VERSION=1.2.3 can be released, build it in dist/ and try it; nothing is published
	@$(BIN)/python -m deploy.release build "$(VERSION)"

.PHONY: lock
lock: ## generate deploy/locks from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(call set-up)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv </dev/null
	@UPGRADE="$(UPGRADE)" bash deploy/lock.sh

.PHONY: clean
clean: ## remove .venv and everything that was built
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
