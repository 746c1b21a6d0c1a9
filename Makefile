# make demo: see it. make test: prove it. make bench: measure it. make lint: keep it clean. Each sets up what it needs and says so.
# make install, make deb, make wheel, make plugin: have it. make uninstall: be rid of it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint bench lock clean wheel deb install uninstall pages plugin

demo: $(VENV)/.demo
	@exec $(BIN)/python -m pwgserve demo $(if $(PORT),--port $(PORT))

test: $(VENV)/.test
	@scripts/system-packages $(BIN)/python
	@$(BIN)/python -m compileall -q pwgserve # tests start hundreds of processes, which would each do it
	@# On two cores: tests mostly wait for what they have started. Each process keeps what it compiled for the next run.
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 5 $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Ratios to nginx, thumbor and libvips, into docs/performance.md. Some minutes; best on a machine that does nothing else.
bench: $(VENV)/.test
	@scripts/system-packages $(BIN)/python
	@scripts/benchmark-peers $(VENV)-thumbor
	$(BIN)/python -m benchmarks.run --write --thumbor $(VENV)-thumbor $(ARGS)

wheel: $(VENV)/.made
	@rm -rf dist/*.whl build/lib
	@$(PIP) wheel --no-deps --wheel-dir dist .
	@ls dist/*.whl

deb: pages
	@PYTHON=$(BIN)/python scripts/build-deb

install: pages
	@PYTHON=$(PYTHON) scripts/install

uninstall:
	@scripts/install --uninstall

# Manual pages and shell completions, from the command line itself.
pages: $(VENV)/.build
	@rm -rf build/pages
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0) $(BIN)/python scripts/cli-pages build/pages

# Exact versions for tests and demo, from the ranges in pyproject.toml.
lock: $(VENV)/.made
	$(PIP) install uv
	$(call compile,test) --extra demo --extra test --extra lint --extra build
	$(call compile,demo) --extra demo
	$(call compile,build) --extra build
	$(call compile,run)

# What Piwigo's plugin manager takes.
plugin:
	@$(PYTHON) scripts/build-plugin dist/pwgserve-plugin-$$(sed -n 's/^Version: //p' piwigo-plugin/pwgserve/main.inc.php).zip

clean:
	rm -rf $(VENV) $(VENV)-thumbor build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

compile = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--custom-compile-command "make lock" pyproject.toml --output-file requirements-$(1).lock

$(VENV)/.made:
	@PYTHON=$(PYTHON) scripts/virtual-environment $(VENV)
	@touch $@

$(VENV)/.demo: requirements-demo.lock pyproject.toml | $(VENV)/.made
	@echo "Installing the Python packages of the demo into $(VENV) (first time only)"
	@$(PIP) install --require-hashes --requirement requirements-demo.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements-test.lock pyproject.toml | $(VENV)/.made
	@echo "Installing the Python packages of tests and linters into $(VENV) (first time only)"
	@$(PIP) install --require-hashes --requirement requirements-test.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.build: requirements-build.lock pyproject.toml | $(VENV)/.made
	@echo "Installing the Python packages that make manual pages into $(VENV) (first time only)"
	@$(PIP) install --require-hashes --requirement requirements-build.lock
	@$(PIP) install --no-deps --editable .
	@touch $@
