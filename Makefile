# lanline. Needs make and Python 3.11 or newer; everything else is installed below VENV, checked by hash.
#   make test                               every test
#   make test ARGS='tests/link -x'          some of them
#   make test PYTHON=python3.13 VENV=.venv-3.13

VENV ?= .venv
PYTHON ?=
ARGS ?=
# Only wheels: building a source archive would download build tools that nobody hashed. `WHEELS=` allows it.
WHEELS ?= --only-binary :all:

IN := $(VENV)/bin/python
PIP := $(IN) -m pip --disable-pip-version-check install --quiet
RUN := $(VENV)/run.stamp
TEST := $(VENV)/test.stamp
BENCH := $(VENV)/bench.stamp

.PHONY: help demo test check format bench install uninstall lock clean
.DELETE_ON_ERROR:

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: $(RUN) ## a hub and two more nodes on this machine, walked through word by word
	@PATH="$(abspath $(VENV))/bin:$$PATH" bash scripts/demo.sh

test: $(TEST) ## every test
	$(IN) -m pytest $(ARGS)

check: $(TEST) ## format, lint and types
	$(IN) -m ruff format --check .
	$(IN) -m ruff check .
	$(IN) -m mypy

format: $(TEST) ## rewrite the sources in the project's format
	$(IN) -m ruff format .
	$(IN) -m ruff check --fix .

bench: $(BENCH) ## every figure, measured beside its peer on this machine
	$(IN) -m benchmarks $(ARGS)

install: ## the command lanline for this user, in an environment of its own
	@sh scripts/install.sh "$(PYTHON)"

uninstall: ## undo make install; state folders stay
	rm -rf "$${XDG_DATA_HOME:-$$HOME/.local/share}/lanline/venv"
	rm -f "$$HOME/.local/bin/lanline"

lock: ## resolve requirements/*.txt anew (needs the network; ARGS=--upgrade for newer versions)
	sh scripts/lock.sh $(ARGS)

clean: ## remove everything that make wrote here
	rm -rf .venv .venv-* build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment holds absolute paths: one that was made for another folder is made anew.
ifneq ($(CURDIR),$(shell cat $(RUN) 2>/dev/null))
.PHONY: $(RUN)
endif

$(RUN): requirements/run.txt pyproject.toml
	@python=$$(sh scripts/find-python.sh "$(PYTHON)") && echo "Making $(VENV) with $$python" && \
		"$$python" -m venv --clear $(VENV)
	@$(PIP) $(WHEELS) --require-hashes -r requirements/run.txt
	@$(PIP) --no-index --no-deps --no-build-isolation --editable .
	@echo "$(CURDIR)" > $@

$(TEST): requirements/test.txt $(RUN)
	@$(PIP) $(WHEELS) --require-hashes -r requirements/test.txt
	@touch $@

$(BENCH): requirements/bench.txt $(TEST)
	@$(PIP) $(WHEELS) --require-hashes -r requirements/bench.txt
	@touch $@
