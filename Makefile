# Everything here works in a fresh clone: what is missing is made, and what was made is used again.
PYTHON ?= python3
UV ?= uv
LOCK = $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

.PHONY: help demo test check unit conformance integration e2e sweep bench docs lock clean

help:            ## this list
	@sed -n 's/^\([a-z0-9]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo:            ## release examples/iris on this machine, from nothing to an answered prediction
	@$(PYTHON) tools/demo.py

test:            ## static checks, then the tiers unit, conformance, integration and e2e
	@$(PYTHON) tools/test.py

check:           ## static checks only: ruff, mypy, import contracts
	@$(PYTHON) tools/test.py static

unit conformance integration e2e:  ## one tier only
	@$(PYTHON) tools/test.py $@

sweep:           ## all tests, with every case where `make test` takes a sample; takes long
	@SHIPPER_SWEEP=1 $(PYTHON) tools/test.py

bench:           ## start-up, release and rollback against bare click, by hand, gcloud, kubectl and Helm; the ledger
	@$(PYTHON) benchmarks/startup.py
	@$(PYTHON) benchmarks/release.py
	@$(PYTHON) benchmarks/rollback.py
	@"$$($(PYTHON) tools/venvs.py dev)/python" benchmarks/ledger.py
	@"$$($(PYTHON) tools/venvs.py dev)/python" benchmarks/cloudrun.py
	@"$$($(PYTHON) tools/venvs.py dev)/python" benchmarks/kubernetes_peers.py

docs:            ## generate docs/reference from the code
	@"$$($(PYTHON) tools/venvs.py dev)/python" tools/generate_docs.py

lock:            ## lock all dependencies again, with hashes (needs uv)
	$(LOCK) --upgrade pyproject.toml --extra dev --extra gcp --extra kubernetes -o requirements-dev.txt
	$(LOCK) pyproject.toml --extra gcp --extra kubernetes --constraint requirements-dev.txt -o requirements.txt
	$(LOCK) --upgrade requirements-build.in -o requirements-build.txt
	cd examples/iris && $(LOCK) --upgrade requirements.in -o requirements.txt
	cd examples/iris && $(LOCK) --upgrade requirements-train.in -o requirements-train.txt

clean:           ## remove what make made here; the rig stays (python3 -m tests.rig down)
	[ ! -e .venv/.made-from ] || rm -rf .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
