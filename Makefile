# Deep Learning from the Foundations: `make` alone lists what there is.
# Every target sets up what it needs; a second run does not set up again.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.NOTPARALLEL:

PYTHON ?= python3
# Settings are taken as they are written and reach the shell through its environment
# alone, so that no $(shell ...), quote or backtick in one of them ever runs.
override SCALE := $(or $(value SCALE),$(value MINIFAST_SCALE),small)
override DATA := $(or $(value DATA),$(value MINIFAST_DATA),auto)
override PORT := $(or $(value PORT),8000)
override CH := $(value CH)
override CHROMIUM := $(value CHROMIUM)
export SCALE DATA PORT CH CHROMIUM

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
# -q: the extension tells what a reader wants to know; V=1 shows all that Sphinx says.
BUILD := $(BIN)/jupyter-book build book --config "$(CURDIR)/_config.yml" $(if $(V),,-q)
STRICT := -W -n --keep-going
WHOLE := $(STRICT) --toc "$(CURDIR)/_toc.yml"
PYTEST := $(BIN)/python -m pytest

.PHONY: help book chapter diff serve pdf links bench test test-site check lint lock clean distclean

help: ## List the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: SCALE=small|full  DATA=auto|real|standin  PYTHON=python3  PORT=8000\n'

book: valid $(VENV)/.book ## Execute the chapters and build the site into _build/html
	@PYTHONPATH=book/_ext $(BIN)/python -m minifast_book book _build || \
	  $(BUILD) $(WHOLE) --path-output .

chapter: valid ## Execute and render one chapter: make chapter CH=7
	@case "$$CH" in \
	  *[!a-z0-9/-]*) page=;; \
	  ''|*[!0-9]*) page=$$CH;; \
	  *) page=$$(cd book && echo $$(printf %02d "$$((10#$$CH))")-*.md); page=$${page%.md};; \
	esac; \
	if [ ! -f "book/$$page.md" ]; then \
	  echo "There is no chapter '$$CH'. Name one by its number, as in make chapter CH=1:"; \
	  ls book | sed -n 's/^\([0-9].*\)\.md$$/  \1/p'; exit 1; \
	fi; \
	toc=_build/chapter/toc/$$page.yml; mkdir -p "$${toc%/*}" && \
	printf 'format: jb-book\nroot: appendix/bibliography\nchapters:\n- file: %s\n' \
	  "$$page" > "$$toc" && $(MAKE) --no-print-directory $(VENV)/.book && \
	$(BUILD) $(STRICT) --toc "$(CURDIR)/$$toc" --path-output _build/chapter; status=$$?; \
	echo "The page: _build/chapter/_build/html/$$page.html"; exit $$status

diff: ## Show which recorded numbers and claims the last builds moved
	@[ -f _build/results.previous.json ] || { \
	  echo "There are no two builds to compare yet: make book, change something, make book."; \
	  exit 1; }
	@$(BIN)/python book/_ext/minifast_book/moved.py _build/html

serve: valid $(SITE) ## Serve the built site on http://localhost:8000 (PORT=...)
	@$(BIN)/python book/_ext/minifast_book/serve.py _build/html "$$PORT"

pdf: valid browser $(VENV)/.test $(SITE) ## Print the built book into one file, _build/book.pdf
	$(BIN)/python tests/site/pdf.py _build/book.pdf

links: valid $(VENV)/.book ## Check the links to other sites (needs a network)
	$(BUILD) $(WHOLE) --path-output _build/links --builder linkcheck

bench: valid $(VENV)/.book ## Measure minifast against its peers and the machine's limits
	@for each in ladder loop loaders losses inside; do $(BIN)/python benchmarks/$$each.py || exit 1; done

test: valid $(VENV)/.test ## Run the tests, without a built book or a browser
	$(PYTEST) -m "not site" -n auto --maxprocesses 4 --dist loadfile

test-site: valid browser $(VENV)/.test $(SITE) ## Test the built site in headless Chromium
	$(PYTEST) -m site tests/site

.PHONY: browser
browser: # looked for first: setting up and building take long
	@if [ -n "$$CHROMIUM" ]; then command -v "$$CHROMIUM" > /dev/null || { \
	  echo "CHROMIUM=$$CHROMIUM is no program."; exit 1; }; else \
	command -v chromium chromium-browser google-chrome google-chrome-stable > /dev/null || { \
	  echo "The site tests need Chromium: apt install chromium (Debian),"; \
	  echo "snap install chromium (Ubuntu), brew install --cask chromium (macOS)."; \
	  echo "Or name its program: CHROMIUM=/path/to/chromium make test-site"; exit 1; }; fi

check: lint test ## Lint, spelling, types, layers, tests: what a change must pass

lint: valid $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

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
	@case "$$SCALE" in small|full) ;; \
	  *) printf "SCALE must be small or full, not '%s'.\n" "$$SCALE"; exit 1;; esac
	@case "$$DATA" in auto|real|standin) ;; \
	  *) printf "DATA must be auto, real or standin, not '%s'.\n" "$$DATA"; exit 1;; esac
	@case "$$PORT" in *[!0-9]*|??????*) \
	  printf "PORT must be a number below 65536, not '%s'.\n" "$$PORT"; exit 1;; esac
	@if [ -e $(BIN)/jupyter-book ] && \
	  ! grep -qF "$$(cd $(VENV) && pwd -P)/bin/" $(BIN)/jupyter-book; then \
	  echo "$(VENV) was made at another place, where its programs look for their Python."; \
	  echo "To have it made anew here: rm -r $(VENV) (make distclean also removes what was built)."; \
	  exit 1; fi
ifneq ($(origin PYTHON),file)
	@if [ -x $(BIN)/python ] && used=$$($(BIN)/python --version) && \
	  asked=$$($(PYTHON) --version 2>&1) && [ "$$used" != "$$asked" ]; then \
	  echo "$(VENV) was made with $$used and stays in use, although '$(PYTHON)' is $$asked."; \
	  echo "To change: make distclean, then this command again."; fi
endif

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
