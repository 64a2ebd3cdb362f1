# Everything sets itself up: a Python >= 3.11, make and git are all that has to be there.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup cluster demo up test test-again test-unit test-cluster faults soak bench lint format generate pictures lock clean

help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make the Python environment in .venv, from the locked requirements

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up the Python environment in .venv (about a minute)."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

cluster: $(READY) ## Build kube-apiserver, etcd and kube-controller-manager (about 5 minutes, once per machine)
	@$(BIN)/python -m cluster build

demo: cluster ## Tell the story of an API client on a real API server
	@$(BIN)/python -m demo

up: cluster ## Set up the same as the demonstration and stay
	@$(BIN)/python -m demo --stay

test: cluster ## Run all tests
	@$(BIN)/python -m pytest

test-again: cluster ## Run again what failed the last time
	@$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-unit: $(READY) ## Run the tests that need no cluster (a minute or two)
	@$(BIN)/python -m pytest -m "not cluster"

test-cluster: cluster ## Run the tests against the real API server
	@$(BIN)/python -m pytest -m cluster

faults: cluster ## Run 100 random stories of 50 steps, with faults (hours); STORIES and STEPS set other numbers
	@$(BIN)/python -m tests.faults --stories $(or $(STORIES),100) --steps $(or $(STEPS),50)

soak: cluster ## Run an hour under load and report memory and descriptors; MINUTES sets another time
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),60)

bench: cluster ## Measure against floors in the same run; BENCH=cold|restart|latency|gate|... for one
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check matplotlib==3.11.2
	@$(BIN)/python -m bench $(or $(BENCH),all)

lint: $(READY) ## Check format, style, types, layers, manifests and generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m apiclients.resources.crd crds/ --check
	@$(BIN)/python -m apiclients.resources.reference docs/reference.md --check
	@$(BIN)/python -m apiclients.cli.docs docs/cli.md --check
	@$(BIN)/python -m apiclients.cli.rules_docs docs/plan-rules.md --check
	@for folder in manifests/control manifests/base manifests/overlays/*; do \
	  $(BIN)/kubectl kustomize $$folder > /dev/null || exit 1; done

format: $(READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(READY) ## Write crds/ and the reference pages in docs/ from the code
	@$(BIN)/python -m apiclients.resources.crd crds/
	@$(BIN)/python -m apiclients.resources.reference docs/reference.md
	@$(BIN)/python -m apiclients.cli.docs docs/cli.md
	@$(BIN)/python -m apiclients.cli.rules_docs docs/plan-rules.md

pictures: cluster ## Write docs/pictures from what the plugin prints on a real API server
	@$(BIN)/python -m demo.pictures docs/pictures

lock: $(READY) ## Pin all requirements anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-header pyproject.toml -o requirements.lock

clean: ## Remove what was generated here; built cluster programs stay in the cache
	@rm -rf .venv .run build .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
