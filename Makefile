# Everything a newcomer or a contributor needs. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test system chaos bench check audit format lock clean

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
	$(BIN)/python -m pytest -n 3 --dist worksteal --ignore refund_pipeline_tests/system

system: setup ## Try what is deployed: the UI in a real browser, every process (needs Debian's chromium)
	$(BIN)/python -m pytest refund_pipeline_tests/system

chaos: setup ## Run the long fault campaigns; writes the table of docs/reliability.md
	$(BIN)/python -m refund_pipeline_tests.chaos

bench: setup ## Measure how fast it is; writes the tables of docs/performance.md
	$(BIN)/python -m refund_pipeline_tests.bench
	$(BIN)/python -m refund_pipeline_tests.bench.scaling

check: setup ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What is missing here: known vulnerabilities of the locked versions. Every tool that knows them asks an
# advisory database over the internet, and our CI reaches package registries only. docs/security.md
# has the command to run where there is one, and why bandit is left out. The tests plant credentials,
# so they are searched for what only a real one looks like.
audit: setup ## Look for insecure code, secrets in the repository and a broken lock
	$(BIN)/ruff check --select S .
	git ls-files -z ':!refund_pipeline_tests' ':!*requirements.lock' | xargs -0 $(BIN)/detect-secrets-hook --exclude-secrets '^sandbox$$'
	git ls-files -z refund_pipeline_tests | xargs -0 $(BIN)/detect-secrets-hook --exclude-lines 's3cret|BROKEN_KEY' \
		--disable-plugin KeywordDetector --disable-plugin BasicAuthDetector \
		--disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString
	$(BIN)/python -m pip check

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Renew requirements.lock (needs uv on the PATH)
	uv pip compile --universal --python-version 3.10 --all-extras --generate-hashes --no-emit-index-url --no-header --upgrade --quiet setup.py -o requirements.lock
	uv pip compile --universal --python-version 3.10 --extra postgres --extra celery --extra build --constraint requirements.lock --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet setup.py -o deploy/requirements.lock

clean: ## Remove what this file made
	rm -rf .venv .dagster .demo
