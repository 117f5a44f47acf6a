# The lab's tasks. `make drill` and `make test` do all set-up that is missing; the container
# engine, its images and the lab itself are the tool's business (`lab doctor` says what it finds).
.DEFAULT_GOAL := help
.PHONY: help up down status drill matrix test test-all test-unit lint bench endurance corpus lock clean

# What is run and tested is this checkout, whatever path a shell has for another one.
unexport PYTHONPATH

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DRILL ?= region-loss

help:  ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(READY)  ## Start the lab: engine, images and both regions
	@$(BIN)/lab up

down: $(READY)  ## Stop the lab and remove its containers, networks and data
	@$(BIN)/lab down

status: $(READY)  ## Show nodes, links and what the resolvers answer
	@$(BIN)/lab status

drill: $(READY)  ## Run a drill and measure it (DRILL=zone-loss for another, HANDS=1 to act yourself)
	@$(BIN)/lab drill $(DRILL) $(if $(HANDS),--manual)

# Nothing runs beside the drills: what they measure must not depend on other tests. Component tests
# mostly wait for servers, so that they run beside the unit tests; they share a lab, and so stay in one
# process. Images come before them: on a busy machine they take longer than any test may.
test: $(READY)  ## Lint, check types and test: of live drills an eighth (ROWS=all or ROWS=NAME,…)
	@echo "  lint and types" >&2
	@$(MAKE) --no-print-directory lint
	@.ci/browser
	@failed=0; mkdir -p build; \
	$(BIN)/lab up --images-only || failed=1; \
	echo "  unit tests, and component tests beside them (build/components.log)" >&2; \
	$(BIN)/pytest tests/docker >build/components.log 2>&1 & components=$$!; \
	$(BIN)/pytest $(PARALLEL) tests/unit || failed=1; \
	wait $$components || failed=1; cat build/components.log; \
	$(BIN)/pytest $(if $(ROWS),--rows '$(ROWS)') tests/drill || failed=1; \
	exit $$failed
# A worker that ended is not replaced: the next one would take the same test, and end the same way.
PARALLEL := --numprocesses 2 --dist loadfile --max-worker-restart 0

test-all:  ## The same with every row of every family of live tests
	@$(MAKE) --no-print-directory test ROWS=all

test-unit: $(READY)  ## Run the tests that need no engine (a minute)
	@$(BIN)/pytest $(PARALLEL) tests/unit

lint: $(READY)  ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@cd apps && ../$(BIN)/mypy

matrix: $(READY)  ## Do a failover's five steps in every order, and compare with the prediction
	@$(BIN)/lab matrix

bench: $(READY)  ## Measure the lab itself: start-up, load, overhead
	@$(BIN)/python tests/bench.py

endurance: $(READY)  ## Do one thing again and again, for an hour (KIND='kills 200'; alone: list them)
	@$(BIN)/python tests/endurance $(KIND)

corpus: $(READY)  ## Record anew the runs that pure tests compute again (DRILLS='zone-loss …')
	@$(BIN)/python tests/corpus $(DRILLS)

lock: $(READY)  ## Compile both lock files anew from what the projects ask for
	@cd apps && $(abspath $(BIN))/uv $(UV_COMPILE) --universal --python-version 3.13 \
	    requirements.in -o requirements.lock
	@$(BIN)/uv $(UV_COMPILE) --universal --python-version 3.11 --extra dev --extra lab \
	    -c apps/requirements.lock \
	    pyproject.toml apps/requirements.in .ci/requirements.in -o requirements.lock
UV_COMPILE := pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command 'make lock'

clean:  ## Remove the virtual environment and caches (the lab itself: make down)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The stamp is older than what it was made from, or not there: make or repair the environment.
$(READY): requirements.lock pyproject.toml .ci/environment.py
	@python=$$(PYTHON='$(PYTHON)' .ci/python) && $$python .ci/environment.py $(VENV)
