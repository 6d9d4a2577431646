# make lab · make test · make refresh · make check · make claims   (see README.md)
PYTHON ?= python3
ARGS ?=
VENV_PYTHON := .venv/bin/python
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.PHONY: setup lab test refresh check claims bench long-runs lint lock

setup:
	@command -v $(PYTHON) >/dev/null || { echo "set-up stopped: no '$(PYTHON)' found. Install Python 3.11 or newer, or name yours: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) tools/bootstrap.py
	@$(VENV_PYTHON) -m helpers.data

lab: setup
	$(VENV_PYTHON) -m jupyterlab --notebook-dir=notebooks $(ROOT_FLAG) $(ARGS)

# Unit, hygiene and structure tests first (seconds), then every notebook whole, cell by cell,
# against its saved outputs. A cell's time-out is generous: a busy machine is not a failure.
test: setup lint
	TQDM_DISABLE=1 $(VENV_PYTHON) -m pytest tests
	TQDM_DISABLE=1 $(VENV_PYTHON) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=1500 --timeout=0 -p no:cacheprovider $(NOTEBOOKS)

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

# How fast the NumPy cells are against PyTorch's, as ratios taken in one run.
bench: setup
	$(VENV_PYTHON) tools/bench.py $(ARGS)

# The long experiments behind notebook 3, saved to data/ (tens of minutes).
long-runs: setup
	$(VENV_PYTHON) -m tools.long_runs $(ARGS)

# Write the versions that are installed now as the new lock.
lock:
	@$(VENV_PYTHON) tools/lock.py
