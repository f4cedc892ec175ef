# Every command of this repository. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
PYTHON := .venv/bin/python
READY := .venv/.ready
# Each Python that a test starts would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
# Compiles the tests and their imports once. In a new clone each worker of pytest would compile all.
COMPILE_TESTS = $(PYTHON) -m pytest --collect-only -qq >/dev/null 2>&1
# These folders have the marked tests. Pytest collects a test before it looks at its marker.
WITHOUT_ENGINE := -m "not engine and not package" --ignore=tests/engine --ignore=tests/package

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-8s %s\n' "$$name" "$$what"; done

.PHONY: env
env: $(READY) ## Make the Python environment in .venv

$(READY): requirements.txt pyproject.toml
	@python=$$(tools/find-python); \
	echo "==> Python environment in .venv (about half a minute, once)" >&2; \
	"$$python" -m venv .venv; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile \
		--require-hashes --only-binary :all: -r requirements.txt; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-index \
		--no-build-isolation --no-deps --editable .; \
	touch $@

.PHONY: engine
engine: $(READY) ## Find or install the Pulumi engine; prints its folder
	@$(PYTHON) tools/engine/find_or_install.py

.PHONY: up
up: $(READY) ## Set everything up, then `pulumi up` the quickstart on the embedded emulator, and show its files
	@tools/demo stack select --create dev
	@echo "==> pulumi up: examples/quickstart on the embedded emulator; its runs take five seconds"
	@tools/demo up --yes --skip-preview --suppress-outputs --suppress-progress --stack dev
	@echo "==> Next: a second \`make up\` starts nothing, because the state has the runs"
	@echo "    edit examples/quickstart/__main__.py: \`tools/demo preview\` shows the cost of the edit"
	@echo "    \`make down\` removes the stack's resources"
	@echo "==> pulumi stack output: the files of its runs"
	@tools/demo stack output --json --stack dev

.PHONY: down
down: $(READY) ## Remove the resources of `make up`
	@tools/demo destroy --yes --skip-preview --stack dev

.PHONY: check
check: $(READY) ## Check style and types, and run the tests that need no engine, in 90 seconds
	@$(MAKE) --no-print-directory --jobs 2 lint types fast

.PHONY: fast
fast: $(READY)
	@$(PYTHON) tools/object_servers.py >/dev/null
	@$(PYTHON) -m tools.plugin.sdks --prepare || true
	@$(PYTHON) -m tools.actionlint >/dev/null || true
	@echo "==> pytest, without the engine" >&2
	@[ -d tests/core/__pycache__ ] || $(COMPILE_TESTS) $(WITHOUT_ENGINE) || true
	@$(PYTHON) -m pytest -n 5 $(WITHOUT_ENGINE) -q $(ARGS)

.PHONY: test
test: $(READY) ## Run every test, the real engine included, in 8 minutes (ARGS="-k name" for some, ENGINE=oldest)
	@tools/find-browser >/dev/null
	@$(PYTHON) tools/object_servers.py >/dev/null
	@tools/find-postgres >/dev/null
	@$(PYTHON) -m tools.plugin.sdks --prepare || true
	@$(PYTHON) -m tools.actionlint >/dev/null || true
	@$(PYTHON) tools/engine/find_or_install.py yaml >/dev/null || true
	@echo "==> pytest" >&2
	@[ -d tests/engine/__pycache__ ] || $(COMPILE_TESTS) || true
	@tools/with-engine $(PYTHON) -m pytest -n 6 $(ARGS)

.PHONY: package
package: $(READY) ## Test the package with every Python found and the lowest versions, then build dist/, in 8 minutes
	@PACKAGE=whole tools/with-engine $(PYTHON) -m pytest -n 2 tests/package \
		tests/engine/test_templates.py $(ARGS)
	@rm -rf dist
	@$(PYTHON) -m hatchling build

.PHONY: bench
bench: $(READY) ## Measure each value beside a baseline, in 30 minutes (PART="signing load" for some)
	@tools/with-engine $(PYTHON) -m bench $(PART)

.PHONY: torture
torture: $(READY) ## Run every matrix whole, then kill updates at every point of a start, also on two machines, in 2 hours (SEED, TRIALS, MINUTES; ARGS=soak)
	@[ -n "$(ARGS)" ] || TORTURE=1 tools/with-engine $(PYTHON) -m pytest -n 4 -m torture
	@tools/with-engine $(PYTHON) -m torture $(ARGS)
	@[ -n "$(ARGS)" ] || tools/with-engine $(PYTHON) -m torture runners
	@[ -n "$(ARGS)" ] || TRIALS=$${TRIALS:-150} tools/with-engine $(PYTHON) -m torture --host plugin
	@[ -n "$(ARGS)" ] || TRIALS=$${TRIALS:-150} tools/with-engine $(PYTHON) -m torture runners --host plugin

.PHONY: lint
lint: $(READY) ## Check style
	@echo "==> ruff" >&2
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

.PHONY: format
format: $(READY) ## Fix style where ruff can
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

.PHONY: types
types: $(READY) ## Check types
	@echo "==> mypy" >&2
	@$(PYTHON) -m mypy
	@echo "==> pyright" >&2
	@$(PYTHON) -m basedpyright

.PHONY: sdks
sdks: $(READY) ## Generate the SDKs of the packaged provider into build/sdks (ARGS="--download-url URL" of the plugin)
	@$(PYTHON) -m tools.plugin.schema
	@$(PYTHON) -m tools.plugin.sdks $(ARGS)

.PHONY: docs
docs: $(READY) ## Build the documentation site into build/site
	@echo "==> mkdocs" >&2
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict

.PHONY: lock
lock: $(READY) ## Pin all dependencies in requirements.txt (ARGS=--upgrade for the newest)
	@echo "==> requirements.txt from pyproject.toml"
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(PYTHON) -m uv pip compile pyproject.toml --group dev \
		--universal --python-version 3.11 --generate-hashes --quiet $(ARGS) \
		--no-header --no-emit-index-url --no-emit-find-links --output-file requirements.txt

.PHONY: clean
clean: ## Remove built files (the engine in the cache and the stack's state stay)
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

