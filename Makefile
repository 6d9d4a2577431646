# A short way to write `python3 -m tools NAME`, which is the same and needs no make. All commands:
# python3 -m tools
#   make lab ARGS="--no-browser" PYTHON=python3.12
#   make refresh NOTEBOOKS=notebooks/01_rnn_basics.ipynb
#   make grade SUBMISSIONS=folder
#   make publish REPO=owner/name REF=branch-or-tag
# Without PYTHON=, an environment that is there is used with the Python that made it.
PYTHON ?= $(shell .venv/bin/python -c 'print(".venv/bin/python")' 2>/dev/null || echo python3)
NAMES := lab setup check quick test refresh claims publish site site-check assignments grade

.PHONY: $(NAMES)
$(NAMES):
	@command -v "$(PYTHON)" >/dev/null || { echo "no '$(PYTHON)' found. Install Python 3.11 or newer, or name yours: make $@ PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -m tools $@ $(NOTEBOOKS) $(if $(SUBMISSIONS),"$(SUBMISSIONS)") $(if $(REPO),--repo "$(REPO)") $(if $(REF),--ref "$(REF)") $(ARGS)
