# Everything sets itself up: a Python >= 3.11, make and git are all that has to be there.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Tests of a file stay together, and the long ones begin: tests/conftest.py.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help setup cluster demo up image sbom test test-unit test-cluster test-alerts test-chart test-image test-interop test-pods test-browser faults soak bench lint format generate pictures lock clean

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

test: cluster ## Run all tests, two at a time; WORKERS sets another number
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not image and not chart and not alerts and not interop and not pods and not browser"

test-unit: $(READY) ## Run the tests that need no cluster (a minute or two)
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not cluster and not image and not chart and not alerts and not interop and not pods and not browser"

test-cluster: cluster ## Run the tests against the real API server
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "cluster and not interop and not pods and not browser"

test-image: $(READY) ## Build the image from Debian's packages and test it (needs buildah and mmdebstrap; installs them as root)
	@$(BIN)/python -m pytest -m image tests/image

test-interop: cluster ## Run client libraries of Go, Node, Java and Rust against a gate (fetches and builds them: minutes)
	@$(BIN)/python -m pytest -m interop tests/interop

test-chart: $(READY) ## Test the Helm chart with helm, which is built from its Go module (some minutes, once per machine)
	@$(BIN)/python -m pytest -m chart tests/chart

test-alerts: $(READY) ## Test the alerts with promtool, which is built from its Go module (some minutes, once per machine)
	@$(BIN)/python -m pytest -m alerts tests/alerts

test-pods: cluster ## Install the chart on a node with real pods, and disturb it under load (root on Linux; builds the node once per machine)
	@$(BIN)/python -m pytest -m pods tests/pods

test-browser: $(READY) ## Test the dashboard in Chromium, with axe (installs Chromium as root; skipped where it or npm is missing)
	@$(BIN)/python -m pytest -m browser -rs tests/cli/dashboard

image: $(READY) ## Build the container image with docker, podman or buildah; IMAGE=name:tag, IMAGE_FLAGS=... for the builder
	@$(BIN)/python -m image $(if $(IMAGE),--tag=$(IMAGE)) --flags='$(IMAGE_FLAGS)'

sbom: $(READY) ## Write the bill of materials of the image's Python packages (CycloneDX); SBOM=file
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m image.sbom $(or $(SBOM),build/sbom.cdx.json)

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
	@$(BIN)/python -m apiclients.resources.value_policies manifests/control/policies --check
	@$(BIN)/python -m apiclients.resources.reference docs/reference.md --check
	@$(BIN)/python -m apiclients.cli.docs docs/cli.md --check
	@$(BIN)/python -m apiclients.cli.rules_docs docs/plan-rules.md --check
	@$(BIN)/python -m apiclients.settings.docs docs/settings.md --check
	@$(BIN)/python -m tests.rulebook docs/rules.md --check
	@$(BIN)/python -m chart manifests/chart --check
	@for folder in manifests/control manifests/base manifests/monitoring manifests/uninstall manifests/overlays/*; do \
	  $(BIN)/kubectl kustomize $$folder > /dev/null || exit 1; done

format: $(READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(READY) ## Write crds/, the reference pages in docs/ and the chart's templates from what they follow from
	@$(BIN)/python -m apiclients.resources.crd crds/
	@$(BIN)/python -m apiclients.resources.value_policies manifests/control/policies
	@$(BIN)/python -m apiclients.resources.reference docs/reference.md
	@$(BIN)/python -m apiclients.cli.docs docs/cli.md
	@$(BIN)/python -m apiclients.cli.rules_docs docs/plan-rules.md
	@$(BIN)/python -m apiclients.settings.docs docs/settings.md
	@$(BIN)/python -m tests.rulebook docs/rules.md
	@$(BIN)/python -m chart manifests/chart

pictures: cluster ## Write docs/pictures and docs/demo.md from what plugin, demonstration and dashboard show (needs Chromium)
	@$(BIN)/python -m demo.pictures docs
	@$(BIN)/python -m tests.cli.dashboard.pictures docs/pictures

lock: $(READY) ## Pin all requirements anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-header pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements.lock pyproject.toml -o requirements-runtime.lock
	@echo cyclonedx-bom==7.5.0 | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header - -o requirements-sbom.lock

clean: ## Remove what was generated here; built cluster programs stay in the cache
	@rm -rf .venv .run build .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
