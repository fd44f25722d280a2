.PHONY: setup check test bench bench-live
PYTHON ?= python3

setup: ## a virtual environment with everything
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -e '.[train,test]'

check: ## lint, format and types
	ruff check .
	ruff format --check .
	mypy

test: ## what the README calls the tests
	pytest

bench: ## ratios on this machine; run it while nothing else runs
	$(PYTHON) -m benchmarks.video
	$(PYTHON) -m benchmarks.video --size 640x360
	$(PYTHON) -m benchmarks.video --memory

bench-live: ## latency, memory and what is left of live runs, in 22 minutes; run it while nothing else runs
	$(PYTHON) -m benchmarks.live soak
	$(PYTHON) -m benchmarks.live soak --clients 3 --stalled 1
	$(PYTHON) -m benchmarks.live overload
