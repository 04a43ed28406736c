# Everything a newcomer or a contributor needs. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with the locked dependencies

$(READY): requirements.lock setup.py
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation -e .
	@touch $@

demo: setup ## Run the main job end to end against the sandbox, and prove the result
	$(BIN)/refund-pipeline demo

dev: setup ## Sandbox and Dagster UI, until stopped with Ctrl-C
	$(BIN)/refund-pipeline dev

test: setup ## Run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: setup ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Renew requirements.lock (needs uv on the PATH)
	uv pip compile --universal --python-version 3.10 --all-extras --generate-hashes --no-emit-index-url --no-header --upgrade --quiet setup.py -o requirements.lock

clean: ## Remove what this file made
	rm -rf .venv .dagster .demo
