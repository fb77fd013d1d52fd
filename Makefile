# Needs Python 3.11 and make; everything else is installed into .venv.
PYTHON ?= python3.11
BIN := .venv/bin
# Two more than there are processors: tests wait for servers much of the time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 2)')
FUZZ_SECONDS ?= 3600
# The tests start hundreds of processes: none need compile what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help hooks demo test test-slow lint format bench reliability docs pictures fuzz lock check-lock vulnerabilities clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 2)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

hooks: .venv/ready ## set up to work on it: everything in .venv, the linters before each commit
	git config core.hooksPath .githooks

demo: .venv/ready ## a week of a made-up hospital through the nightly run
	@$(BIN)/moph-claim demo

test: .venv/ready ## proves the product in minutes; what needs MariaDB or PostgreSQL skips where there is none
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not slow"

test-slow: .venv/ready ## kills, faults, browser, LibreOffice, services, large counts; and every property with many examples
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "slow or hypothesis" --hypothesis-profile=thorough

lint: .venv/ready ## ruff, mypy, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/ready ## the figures of docs/performance.md (most of an hour)
	$(BIN)/python -m bench

reliability: .venv/ready ## every fault on every database, hundreds of kills: the figures of docs/reliability.md (a quarter of an hour)
	PYTHONPATH=tests $(BIN)/python tests/reliability/suite.py

# Atheris has wheels for few platforms only, so it is in no lock file.
fuzz: ## an hour of hostile answers (FUZZ_SECONDS=600 for ten minutes); what it finds is kept in .fuzz
	$(PYTHON) -m venv .fuzz/venv
	.fuzz/venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.fuzz/venv/bin/python -m pip install --quiet --disable-pip-version-check 'atheris>=3,<4'
	mkdir -p .fuzz/corpus
	PYTHONPATH=.:tests/fuzz .fuzz/venv/bin/python tests/fuzz/fuzz_answers.py .fuzz/corpus \
		-max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.fuzz/ -print_final_stats=1

docs: .venv/ready ## write the pages that are made from the code
	$(BIN)/python docs/make.py

pictures: .venv/ready ## photograph the workbooks of docs/workbook.md (needs LibreOffice and pdftoppm)
	$(BIN)/python docs/pictures.py

lock: .venv/ready ## pin all dependencies anew, within the bounds of pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --upgrade pyproject.toml --extra build -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) --upgrade pyproject.toml --extra build --extra dev -c requirements.lock -o requirements-dev.lock

check-lock: .venv/ready ## do the lock files still fit pyproject.toml?
	@for extra in "" dev; do \
		file=requirements$${extra:+-$$extra}.lock; cp $$file .venv/check.lock; \
		$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra build $${extra:+--extra $$extra} -o .venv/check.lock || exit 1; \
		diff $$file .venv/check.lock || { echo "$$file is not current: make lock"; exit 1; }; \
	done

vulnerabilities: .venv/ready ## known vulnerabilities of what the lock files pin, where the service that knows them can be reached
	@log=.venv/vulnerabilities.log; \
	if $(BIN)/pip-audit --vulnerability-service osv --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements-dev.lock 2>$$log; then cat $$log; \
	elif tail -n 1 $$log | grep -qE 'ConnectionError|ProxyError|Timeout'; then \
		echo "Nothing was checked: the service of known vulnerabilities cannot be reached from here."; \
	else cat $$log; exit 1; fi

clean: ## remove what was built
	rm -rf .venv .fuzz demo var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

LOCK := --quiet --python-version 3.11 --no-header --no-annotate --generate-hashes
