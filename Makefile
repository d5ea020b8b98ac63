.DEFAULT_GOAL := help
.PHONY: help setup demo study test check format lint types tests wheel lowest harnesses lock clean

PYTHON ?= python3
BIN := .venv/bin

help: ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/.ready: requirements.lock pyproject.toml
	@echo "== making the virtual environment .venv from requirements.lock"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.ready ## make .venv from the lock file

demo: setup ## grade the packaged examples without a model or a network
	@echo "== grading the packaged examples"
	$(BIN)/mmrare-judge demo --out out/demo

study: setup ## study the embedded judge against physicians on K-QA, and write the report anew
	@echo "== calibrating the embedded judge on K-QA"
	$(BIN)/mmrare-judge calibrate calibration/kqa/study.yaml --out calibration/kqa/report --overwrite

test: setup lowest check ## set up if needed, then run every check

check: format lint types wheel tests ## run every check in the present environment

format:
	@echo "== format"
	$(BIN)/ruff format --check .

lint:
	@echo "== lint"
	$(BIN)/ruff check .

types:
	@echo "== types"
	$(BIN)/mypy

wheel: ## build wheel and sdist, install the wheel elsewhere and grade one item with it
	@echo "== wheel"
	$(BIN)/python tools/check_wheel.py

.venv-lowest/.ready: requirements.lowest.lock pyproject.toml
	@echo "== making .venv-lowest from requirements.lowest.lock"
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lowest.lock
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

LOWEST_TESTS := tests/test_layers.py tests/judging/test_judge.py tests/run/test_run.py \
  tests/cli/test_cli.py tests/cache/test_cache.py tests/backends/test_chat.py \
  tests/calibration/study tests/calibration/statistics/test_properties.py

lowest: .venv-lowest/.ready ## run a part of the tests with the lowest versions that are allowed
	@echo "== tests with the lowest allowed versions"
	.venv-lowest/bin/python -m pytest --quiet -W default --disable-warnings $(LOWEST_TESTS)

.venv-harnesses/.ready: pyproject.toml .venv/.ready
	@echo "== making .venv-harnesses"
	$(PYTHON) -m venv .venv-harnesses
	$(BIN)/python -m uv pip install --quiet --python .venv-harnesses/bin/python \
	  --editable ".[calibration,excel,deepeval,inspect,lm-eval,mlflow,pydantic-evals,serve]" \
	  pytest pytest-asyncio pandas polars datasets openevals langsmith
	@touch $@

harnesses: .venv-harnesses/.ready ## run the tests of the harnesses against the real packages
	@echo "== tests inside other harnesses"
	.venv-harnesses/bin/python -m pytest --quiet -W default --disable-warnings tests/harness

tests:
	@echo "== tests and doctests"
	$(BIN)/python -m pytest

lock: ## resolve requirements.lock and requirements.lowest.lock anew
	$(BIN)/python -m uv pip compile --universal --quiet --extra calibration --extra excel \
	  --extra parquet --extra serve --extra dev --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml

	$(BIN)/python -m uv pip compile --universal --quiet --resolution lowest-direct --generate-hashes \
	  --extra calibration --extra excel --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements.lowest.lock \
	  pyproject.toml tools/lowest.in

clean: ## remove what the other targets made
	rm -rf .venv .venv-lowest .venv-harnesses build dist out
