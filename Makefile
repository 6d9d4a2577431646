# make lab · make test · make refresh · make check · make claims   (see README.md)
PYTHON ?= python3
ARGS ?=
VENV_PYTHON := .venv/bin/python
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.PHONY: setup lab test test-launch test-offline test-versions test-limits refresh check claims badges environment grading-setup assignments grade bench long-runs lint lock

setup:
	@command -v $(PYTHON) >/dev/null || { echo "set-up stopped: no '$(PYTHON)' found. Install Python 3.11 or newer, or name yours: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) tools/bootstrap.py
	@$(VENV_PYTHON) -m helpers.data

# Opens on the start page, rendered. In the browser the files are those of the whole project, so
# that links from notebooks/ to docs/ work.
lab: setup
	JUPYTER_CONFIG_PATH="$(CURDIR)/tools/jupyterlab$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" $(VENV_PYTHON) -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/README.md $(ROOT_FLAG) $(ARGS)

# Unit, hygiene and structure tests first (seconds), then every notebook whole, cell by cell,
# against its saved outputs. A cell's time-out is generous: a busy machine is not a failure.
test: grading-setup lint
	TQDM_DISABLE=1 $(VENV_PYTHON) -m pytest tests
	TQDM_DISABLE=1 $(VENV_PYTHON) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=1500 --timeout=0 -p no:cacheprovider $(NOTEBOOKS)

# Every notebook whole, alone in an empty folder, as Colab meets it.
test-launch: setup
	$(VENV_PYTHON) tools/alone.py $(NOTEBOOKS)

# Every notebook whole with the network cut.
test-offline: setup
	TQDM_DISABLE=1 $(VENV_PYTHON) tools/offline.py $(VENV_PYTHON) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=1500 --timeout=0 -p no:cacheprovider $(NOTEBOOKS)

# The helpers' tests on the oldest and the newest versions that pyproject.toml allows.
test-versions: setup
	$(VENV_PYTHON) tools/versions.py $(ARGS)

# Every notebook within Binder's 2 GB, on one CPU.
test-limits: setup
	$(VENV_PYTHON) tools/limits.py $(NOTEBOOKS)

lint:
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .

# One notebook: make refresh NOTEBOOKS=notebooks/01_rnn_basics.ipynb
refresh: setup
	$(VENV_PYTHON) tools/refresh.py $(NOTEBOOKS)
	$(VENV_PYTHON) tools/gather_claims.py

check:
	@$(PYTHON) tools/bootstrap.py
	@$(VENV_PYTHON) tools/check.py

claims:
	@$(PYTHON) tools/bootstrap.py
	$(VENV_PYTHON) tools/gather_claims.py

# nbgrader, on top of the series' environment: for those who teach.
grading-setup: setup
	@$(PYTHON) tools/bootstrap.py --grading

# The students' release of every assignment from its solution; ARGS=--check only compares.
assignments: grading-setup
	$(VENV_PYTHON) -m tools.assignments $(ARGS)

# A whole class from the command line: make grade SUBMISSIONS=folder
grade: grading-setup
	@test -n "$(SUBMISSIONS)" || { echo "name the folder: make grade SUBMISSIONS=week2"; exit 1; }
	$(VENV_PYTHON) -m tools.grade $(SUBMISSIONS) $(ARGS)

# The public address, in one place and from there in all badges and set-up cells:
# make badges REPO=owner/name [REF=branch-or-tag]; without REPO, the git remote's address.
badges: setup
	$(VENV_PYTHON) tools/badges.py $(if $(REPO),--repo $(REPO)) $(if $(REF),--ref $(REF))

# environment.yml (conda, Binder) from pyproject.toml.
environment: setup
	$(VENV_PYTHON) tools/environment.py

# How fast the NumPy cells are against PyTorch's, as ratios taken in one run.
bench: setup
	$(VENV_PYTHON) tools/bench.py $(ARGS)

# The long experiments behind notebook 3, saved to helpers/tables/ (tens of minutes).
long-runs: setup
	$(VENV_PYTHON) -m helpers.experiments $(ARGS)

# Write the versions that are installed now as the new lock.
lock:
	@$(VENV_PYTHON) tools/lock.py
