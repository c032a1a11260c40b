# `make` lists what there is. Everything is made in the checkout (.venv, .cache), except a Docker engine and its images.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage check style unit prove bench docs venv engine modern-engine stop-engine test-programs bases clean-bases

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: bases ## set everything up and run the main job on examples/
	@$(BIN)/python scripts/demo

test: unit bases modern-engine test-programs ## set everything up and run all tests, those on the engine included
	@$(BIN)/pytest -m engine

unit: venv ## run the tests that need no engine
	@$(BIN)/pytest -n auto --dist loadgroup -m "not engine"

coverage: bases modern-engine test-programs ## what of dfkit the tests run, line by line and branch by branch
	@$(BIN)/pytest -n auto --dist loadgroup -m "not engine" --cov=dfkit --cov-report=
	@$(BIN)/pytest -m engine --cov=dfkit --cov-append --cov-report=term

check: style unit ## style, types, contracts, stale docs, and the tests that need no engine

style: venv ## style, types, contracts and stale docs alone
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/docs --check

prove: bases ## fuzzing, corpus, kill and benchmark runs; their figures go to docs/
	@$(BIN)/python scripts/prove

bench: venv ## time dfkit, alone and beside hadolint
	@$(BIN)/python scripts/bench

docs: venv ## write the generated pages of docs/ anew
	@$(BIN)/python scripts/docs

venv: $(STAMP) ## the Python environment in .venv

engine: venv ## use the Docker engine that answers, or install and start one
	@$(BIN)/python scripts/engine ensure

modern-engine: venv ## use a recent Docker engine, or start one beside the first in a Debian folder of its own
	@$(BIN)/python scripts/modern-engine ensure

stop-engine: venv ## stop the Docker engines that this checkout started
	@$(BIN)/python scripts/modern-engine stop
	@$(BIN)/python scripts/engine stop

test-programs: ## fetch the servers that tests talk to
	@$(PYTHON) scripts/test-programs ensure

bases: engine ## stand-ins for base images, where no image registry answers
	@$(BIN)/python scripts/base-images ensure

clean-bases: venv ## remove the stand-ins for base images
	@$(BIN)/python scripts/base-images clean

$(STAMP): pyproject.toml scripts/setup-venv
	@$(PYTHON) scripts/setup-venv
	@touch $@
