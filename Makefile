# Every command that a person or CI types. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV ?= .venv
RECIPE ?= openmoji
TEST_JOBS ?= 2
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
REQUIREMENTS := pyproject.toml constraints.txt exporters/recipes/demo-requirements.txt

# The first Python that fits and can make a virtual environment. When there is none: python3, so that
# the bootstrap check can say what is wrong with it.
FITS := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(or $(shell for each in python3.11 python3.12 python3; do \
	if $$each -c '$(FITS)' 2>/dev/null; then echo $$each; break; fi; done),python3)

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Of pip's output one line that is rewritten; in a log, a line for each package.
BRIEFLY := if [ -t 1 ]; then \
	while IFS= read -r line; do printf '\r\033[K%.79s' "$$line"; done; printf '\n'; \
	else grep --line-buffered -E '^(Collecting|Installing|Successfully)' || true; fi

# What stands in the way is said before anything is installed or started.
CHECK_MACHINE = command -v $(PYTHON) >/dev/null || { \
	echo "There is no $(PYTHON) here: install Python 3.11 or 3.12." >&2; exit 2; }; \
	$(PYTHON) -I deploy/local/bootstrap.py --venv $(VENV)
LOCAL = $(if $(wildcard $(INSTALLED)),$(BIN)/python -m deploy.local $(1),\
	echo "Nothing was set up here yet: make run does it." && exit $(2))

.PHONY: help
help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo "Variables: RECIPE=$(RECIPE) (a name in exporters/recipes or a file), VENV=$(VENV), PYTHON, TEST_JOBS=$(TEST_JOBS)"

# --- serve -------------------------------------------------------------------------------------

.PHONY: run
run: machine export ## set up what is missing, train, export, serve, classify a sample; Ctrl-C stops
	@exec $(BIN)/python -m deploy.local up --sample

.PHONY: stop
stop: ## stop what `make run` started, from another terminal
	@$(call LOCAL,down,0)

.PHONY: status
status: ## show what runs; fails when not all of it is ready
	@$(call LOCAL,status,1)

# --- make a model ------------------------------------------------------------------------------

.PHONY: train
train: venv ## train the fusion head of RECIPE
	@$(BIN)/python -m exporters train $(RECIPE)

.PHONY: evaluate
evaluate: venv ## measure the trained head of RECIPE, with tables and pictures
	@$(BIN)/python -m exporters evaluate $(RECIPE)

.PHONY: export
export: venv ## train if needed, export, prove parity and publish RECIPE; seconds when nothing changed
	@$(BIN)/python -m exporters export $(RECIPE)

.PHONY: compress
compress: venv ## find the fastest variant of RECIPE within one point of accuracy; proves and publishes it
	@$(BIN)/python -m exporters compress $(RECIPE) --within 0.01

.PHONY: retrain
retrain: venv ## make a candidate of RECIPE from feedback of the last 30 days, once a day; Ctrl-C ends
	@$(BIN)/python -m exporters retrain $(RECIPE) --since 30d --every 1d

# --- be sure -----------------------------------------------------------------------------------

.PHONY: test
test: export browser ## run the whole suite, the real Triton included
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile

.PHONY: test-fast
test-fast: venv browser ## run what needs no Triton
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m 'not e2e'

.PHONY: browser
browser: venv ## fetch a Chromium for the tests of the pages, where the machine has none
	@$(BIN)/python -m tests.browser

.PHONY: check
check: venv ## lint, format, strict types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: conformance
conformance: venv ## compare every encoder family, served, with transformers; writes the table
	@$(BIN)/python -m tests.conformance

.PHONY: fuzz
fuzz: venv ## look long for an input that breaks images, bodies or the API; `make test` looks shortly
	@$(BIN)/python -m pytest tests/fuzz --hypothesis-profile=large --timeout=3600 --durations=20 -rP

.PHONY: fmt
fmt: venv ## format, and fix what the linter can fix
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: loadtest
loadtest: export ## send the smoke scenario to the local stack; fails when a threshold is missed
	@$(BIN)/python -m loadtest run smoke

.PHONY: bench
bench: export ## measure the demo against its targets; figures go to .bench/
	@$(BIN)/python -m loadtest.bench

.PHONY: bench-overload
bench-overload: export ## send 2, 4 and 10 times what the demo sustains; figures go to .bench/
	@$(BIN)/python -m loadtest.overload

.PHONY: bench-gateway
bench-gateway: export ## what the gateway itself costs before the real Triton; into .bench/
	@$(BIN)/python -m loadtest.gateway_cost

.PHONY: bench-tracing
bench-tracing: venv ## what the spans of a request cost, off and on; into .bench/
	@$(BIN)/python -m loadtest.tracing_cost

.PHONY: bench-feedback
bench-feedback: venv ## what receipts cost, and how many labels a second are committed; into .bench/
	@$(BIN)/python -m loadtest.feedback_cost

.PHONY: bench-fairness
bench-fairness: export ## one client sends ten times its share: what another gets; into .bench/
	@$(BIN)/python -m loadtest.fairness

.PHONY: bench-ramp
bench-ramp: venv ## simulate thousands of ramps with the gateway's own decisions; figures go to .bench/
	@$(BIN)/python -m loadtest.ramp

.PHONY: bench-faults
bench-faults: venv ## kill, freeze, slow and cut off Tritons under load: what callers get; into .bench/
	@$(BIN)/python -m loadtest.faults

.PHONY: bench-tools
bench-tools: export ## send one scenario by k6 and by our own senders: do both see the same; into .bench/
	@$(BIN)/python -m loadtest.k6

.PHONY: bench-plan
bench-plan: export ## hold the capacity simulation against the running stack at several loads; into .bench/
	@$(BIN)/python -m loadtest validate

.PHONY: bench-balance
bench-balance: venv ## three Tritons behind one DNS name, one killed under load: their shares; into .bench/
	@$(BIN)/python -m loadtest.balance

.PHONY: bench-compression
bench-compression: export ## serve the demo in int8 beside fp32: how much more it answers; into .bench/
	@$(BIN)/python -m exporters compress openmoji --method int8 --refit-head
	@$(BIN)/python -m loadtest.compression

.PHONY: bench-drift
bench-drift: venv ## shift the demo's held-out examples: which kinds of drift are raised; into .bench/
	@$(BIN)/python -m loadtest.drift

.PHONY: demo-loop
demo-loop: export ## late labels, drift, a retraining, a ramp, a roll-back, live; plots in .diptych/demo-loop
	@$(BIN)/python -m loadtest.demo_loop

# --- deploy ------------------------------------------------------------------------------------

.PHONY: tools
tools: venv ## fetch the programs that check deploy/ (helm, trivy, Prometheus, ...) into .diptych/tools
	@$(BIN)/python -m deploy.tools

.PHONY: deploy-check
deploy-check: tools ## all static checks of deploy/: chart, images, compose file, alerts, dashboards
	@$(BIN)/python -m deploy.helm check
	@$(BIN)/python -m pytest -q -m 'not e2e' tests/deploy/docker tests/deploy/compose tests/deploy/observability

.PHONY: dashboards
dashboards: venv ## write the dashboards' JSON from deploy/observability/boards
	@$(BIN)/python -m deploy.observability

.PHONY: compose-secrets
compose-secrets: venv ## make the passwords and keys of docker-compose.yml that are missing
	@$(BIN)/python -m deploy.compose

.PHONY: images-check
images-check: export ## install each image's exact packages into a fresh environment and start what it runs
	@$(BIN)/python -m deploy.docker check

.PHONY: sbom
sbom: venv ## write each image's list of packages as CycloneDX and SPDX into .diptych/sbom
	@$(BIN)/python -m deploy.docker sbom

# --- the environment ---------------------------------------------------------------------------

.PHONY: machine
machine:
	@$(CHECK_MACHINE) --ports

.PHONY: venv
venv: $(INSTALLED) ## make the virtual environment with the pinned packages

$(INSTALLED): $(REQUIREMENTS)
	@$(CHECK_MACHINE)
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV); the first time takes some minutes."
	@$(PIP) install -c constraints.txt -e '.[dev]' | { $(BRIEFLY); }
	@$(PIP) install --no-deps -r exporters/recipes/demo-requirements.txt | { $(BRIEFLY); }
	@touch $@

.PHONY: clean
clean: ## stop the service and delete all that was made, except the environment
	@$(call LOCAL,down,0)
	@rm -rf .diptych .bench build dist ./*.egg-info
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -path './$(VENV)' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@find model_repository -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## delete the environment too
	@rm -rf $(VENV)
