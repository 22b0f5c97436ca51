# Deep Learning from the Foundations: `make` alone lists what there is.
# Every target sets up what it needs; a second run does not set up again.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
SCALE ?= $(or $(MINIFAST_SCALE),small)
DATA ?= $(or $(MINIFAST_DATA),auto)
PORT ?= 8000
CH ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SITE := _build/html/index.html

export MINIFAST_SCALE := $(SCALE)
export MINIFAST_DATA := $(DATA)
# A thread that waits for another sleeps instead of spinning. On a busy machine, spinning
# threads make small operations tens of times slower.
export OMP_WAIT_POLICY ?= PASSIVE
export BOOK_CACHE ?= $(CURDIR)/_build/.jupyter_cache

# Absolute paths: Jupyter Book looks a relative table of contents up in the source folder.
# --all: on a page it takes for unchanged, Sphinx would not repeat its warnings.
# -q: the extension tells what a reader wants to know; V=1 shows all that Sphinx says.
BUILD := $(BIN)/jupyter-book build book --config "$(CURDIR)/_config.yml" --all $(if $(V),,-q)
STRICT := -W -n --keep-going --toc "$(CURDIR)/_toc.yml"
PYTEST := $(BIN)/python -m pytest

.PHONY: help book chapter serve links bench test test-site check lint lock clean distclean

help: ## List the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: SCALE=small|full  DATA=auto|real|standin  PYTHON=python3  PORT=8000\n'

book: valid $(VENV)/.book ## Execute the chapters and build the site into _build/html
	$(BUILD) $(STRICT) --path-output .

chapter: valid $(VENV)/.book ## Execute and render one chapter: make chapter CH=01
	@page=$$(cd book && ls $(CH)*.md 2>/dev/null | grep '^[0-9]' | head -n 1); \
	if [ -z "$(CH)" ] || [ -z "$$page" ]; then \
	  echo "There is no chapter '$(CH)'. Name one by its number, as in make chapter CH=01:"; \
	  ls book | sed -n 's/^\([0-9].*\)\.md$$/  \1/p'; exit 1; \
	fi; \
	mkdir -p _build/chapter && \
	printf 'format: jb-book\nroot: appendix/bibliography\nchapters:\n- file: %s\n' \
	  "$${page%.md}" > _build/chapter/_toc.yml && \
	BOOK_PARTIAL=1 $(BUILD) --toc "$(CURDIR)/_build/chapter/_toc.yml" \
	  --path-output _build/chapter; status=$$?; \
	echo "The page: _build/chapter/_build/html/$${page%.md}.html"; exit $$status

serve: $(SITE) ## Serve the built site on http://localhost:8000 (PORT=...)
	@echo "Serving on http://localhost:$(PORT), stop with Ctrl-C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

links: $(VENV)/.book ## Check the links to other sites (needs a network)
	$(BUILD) $(STRICT) --path-output _build/links --builder linkcheck

bench: $(VENV)/.book ## Measure minifast against its peers and the machine's limits
	@for each in ladder loop loaders losses; do $(BIN)/python benchmarks/$$each.py || exit 1; done

test: $(VENV)/.test ## Run the tests, without a built book or a browser
	$(PYTEST) -m "not site" -n auto --maxprocesses 4 --dist loadfile

test-site: browser $(VENV)/.test $(SITE) ## Test the built site in headless Chromium
	$(PYTEST) -m site tests/site

.PHONY: browser
browser: # looked for first: setting up and building take long
	@if [ -n "$(CHROMIUM)" ]; then command -v "$(CHROMIUM)" > /dev/null || { \
	  echo "CHROMIUM=$(CHROMIUM) is no program."; exit 1; }; else \
	command -v chromium chromium-browser google-chrome google-chrome-stable > /dev/null || { \
	  echo "The site tests need Chromium: apt install chromium (Debian),"; \
	  echo "snap install chromium (Ubuntu), brew install --cask chromium (macOS)."; \
	  echo "Or name its program: CHROMIUM=/path/to/chromium make test-site"; exit 1; }; fi

check: lint test ## Lint, types, layers, tests: what a change must pass

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## Resolve requirements/*.in again, and write the lock files
	rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install -q --upgrade pip
	_build/lock/bin/python -m pip install -q -r requirements/book.in
	@echo "# Every package of the book, resolved from book.in by make lock." > _build/book.txt
	_build/lock/bin/python -m pip freeze --all --exclude pip | sed 's/+cpu$$//' >> _build/book.txt
	_build/lock/bin/python -m pip install -q -r requirements/test.in
	@echo "# What the tests add to book.txt, resolved from test.in by make lock." > _build/test.txt
	_build/lock/bin/python -m pip freeze --all --exclude pip | sed 's/+cpu$$//' \
	  | grep -vxF -f _build/book.txt >> _build/test.txt
	mv _build/book.txt _build/test.txt requirements/
	rm -rf _build/lock

clean: ## Remove what was built, and the kept outputs
	rm -rf _build

distclean: clean ## Remove the environment too
	rm -rf $(VENV)

# --- Setting up -----------------------------------------------------------------------

.PHONY: valid
valid:
	@case "$(SCALE)" in small|full) ;; \
	  *) echo "SCALE must be small or full, not '$(SCALE)'."; exit 1;; esac
	@case "$(DATA)" in auto|real|standin) ;; \
	  *) echo "DATA must be auto, real or standin, not '$(DATA)'."; exit 1;; esac

$(SITE):
	@$(MAKE) --no-print-directory book

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no program '$(PYTHON)'. Name yours: make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version)."; \
	  echo "Name a newer one: make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments."; \
	  echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.book: requirements/book.txt pyproject.toml | $(BIN)/python
	@echo "Installing the lock file into $(VENV); the first time this takes some minutes."
	$(PIP) install -q -r requirements/book.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.book
	$(PIP) install -q -r requirements/test.txt
	@touch $@
