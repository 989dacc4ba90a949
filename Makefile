# Two commands do everything on a fresh machine: `make train` and `make test`.
#
#   make train          learn handwritten digits, print the test log-likelihood, draw pictures
#   make test           lint, types and the test suite
#   make test-all       the suite with its slower statistical checks
#   make docs           the documentation as a site, in site/ (open site/index.html)
#   make bench          the first tables of docs/benchmarks/speed.md
#   make reproduce      the published experiments (minutes to an hour)
#
# TORCH says which torch to install: `make test TORCH="-c /dev/null torch"` takes the newest of your index,
# `make test TORCH="--index-url https://download.pytorch.org/whl/cpu torch"` the CPU build from there.

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= -c constraints.txt torch

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BROWSER := $(VENV)/.browser

.PHONY: train test test-all lint docs bench reproduce clean

train: $(STAMP)
	$(BIN)/harmonium train digits --progress

# A process per core, each with one thread: two thread pools on the same cores would wait for each other.
test: lint $(BROWSER)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-all: lint $(BROWSER)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m ""

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/suite.py

reproduce: $(STAMP)
	$(BIN)/python reproduce/fischer_igel.py --processes 2
	$(BIN)/python reproduce/mnist_16_hidden.py
	$(BIN)/python reproduce/mnist_rbm.py --minutes 6 --out runs/mnist-fixed-6

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

# Pages are tested in Debian's Chromium.  It is installed where that needs no more than asking; elsewhere these tests
# are skipped, and say so.
$(BROWSER): $(STAMP)
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
			>/dev/null 2>&1 || echo "chromium could not be installed: the tests of pages are skipped"; \
	fi
	@touch $(BROWSER)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
