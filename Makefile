# One command each, and each sets up what it needs on a fresh machine with python3, git and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
# Debian's python3 comes without venv and pip; root can have them, others are told.
UV     := $(VENV)/bin/uv

.PHONY: demo test test-slow test-cluster test-lowest lint docs bench clean help

help:            ## list the commands
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(STAMP): pyproject.toml
	@tools/venv.sh $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python --editable '.[sklearn,remote,sql,ui]' --group test --group lint
	@$(UV) pip install --quiet --python $(BIN)/python -r src/headway/examples/flights/requirements.txt
	@$(BIN)/python -m compileall -q $(VENV)/lib src || true
	@touch $@

demo: $(STAMP)   ## the whole loop on real data: a model in production, then a better one
	@$(BIN)/headway demo $(if $(PORT),--port $(PORT))

test: $(STAMP)   ## the tests that run on every change, doctests included
	@tools/system.sh
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist worksteal

test-slow: $(STAMP)  ## crash, soak, simulation and end-to-end tests, in a browser as well
	@tools/system.sh browser
	$(BIN)/python -m pytest -m 'slow or hypothesis' --hypothesis-profile full -n 2 --dist worksteal --timeout 900

test-cluster: $(STAMP)  ## releases in a real cluster, that of HEADWAY_KUBERNETES (docs/kubernetes.md)
	$(BIN)/python -m pytest -m cluster tests/cluster --timeout 900

test-lowest:     ## the tests against the oldest allowed version of every dependency
	@tools/system.sh
	@tools/venv.sh $(PYTHON) $(VENV)-lowest
	@$(VENV)-lowest/bin/uv pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct \
		--editable '.[sklearn,remote,sql,ui]' --group test
	$(VENV)-lowest/bin/python -m pytest -m 'not slow' -n 2 --dist worksteal

lint: $(STAMP)   ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)   ## check that the docs are true: examples run, everything is documented
	$(BIN)/python -m pytest tests/test_docs.py

bench: $(STAMP)  ## measure the promises beside the peers (installs them into a cache outside the repository)
	$(BIN)/python bench/run_all.py

clean:           ## remove what the commands above made here
	rm -rf $(VENV) $(VENV)-lowest demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
