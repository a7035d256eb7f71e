# make demo   train five models on handwritten digits and write a report: runs/demo/report.html
# make test   everything that continuous integration runs
#
# Both make .venv on the first call and install into it; later calls install nothing as long as the files in
# INSTALL_DEPENDS stay as they are. Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

INSTALL_DEPENDS := pyproject.toml constraints.txt src/spatialvae/_version.py
RUN_STAMP := $(VENV)/.installed-run
TEST_STAMP := $(VENV)/.installed-test

.PHONY: help demo test clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(RUN_STAMP)
	$(BIN)/spatialvae compare --data digits --seeds 1 --out runs/demo

test: $(TEST_STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile

# Takes away the environment alone; runs/ holds trained models and is never touched.
clean:
	rm -rf $(VENV)

$(RUN_STAMP): $(INSTALL_DEPENDS) | $(BIN)/pip
	$(BIN)/python -m pip install -e . -c constraints.txt
	@touch $@

# The test extra includes all that the run install has: it leaves both stamps.
$(TEST_STAMP): $(INSTALL_DEPENDS) | $(BIN)/pip
	$(BIN)/python -m pip install -e ".[test]" -c constraints.txt
	@touch $(RUN_STAMP) $@

# pip is the last thing that venv writes: a .venv without it was interrupted and is made again.
$(BIN)/pip:
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "There is no '$(PYTHON)' here. Name a Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "spatialvae needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another one: make PYTHON=python3.11 ..." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
