# SPDX-License-Identifier: Apache-2.0
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs clean

# One thread for each numeric library: the graph is several processes, and they would fight.
THREADS := OMP_NUM_THREADS=1 LP_NUM_THREADS=0
WITH_ENV := source ./env.sh && $(THREADS)

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup:  ## system packages, virtual environment, workspace (seconds when already done)
	@scripts/setup.sh

demo: setup  ## the simulated arm puts the carrot in the bowl; video and report in outputs/
	@$(WITH_ENV) vidplan run "put the carrot in the bowl" --models models/cell_contact

test: setup lint  ## style, types and all tests
	@$(WITH_ENV) python -m pytest

lint: setup  ## style and types
	@$(WITH_ENV) ruff check .
	@$(WITH_ENV) mypy

docs: setup  ## the documentation site, in outputs/site; a broken link is an error
	@$(WITH_ENV) pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@$(WITH_ENV) python scripts/write_docs.py --check
	@$(WITH_ENV) python scripts/write_api.py
	@$(WITH_ENV) zensical build --strict --clean

clean:  ## remove what was built; the virtual environment stays
	rm -rf build install log
