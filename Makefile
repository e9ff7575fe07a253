# Everything runs in a Debian root with a real Orthanc, made at first use: see docker/root.sh.
# Variables count from the command line only, as in `make serve HTTP_PORT=8043`: a shell's HOST or DATA means another.
HTTP_PORT = 8042
DICOM_PORT = 4242
DATA = .data
CONFIG = orthanc.json
HOST = 127.0.0.1
ARGS =

# A killed make takes its command along.
RUN = setpriv --pdeathsig TERM docker/root.sh
SERVER = exec env HTTP_PORT='$(HTTP_PORT)' DICOM_PORT='$(DICOM_PORT)' DATA='$(DATA)' CONFIG='$(CONFIG)'

.PHONY: help demo serve test test-deployment test-next check lock audit bench sizing report shell clean clean-all

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile
	@echo "Variables: HTTP_PORT=$(HTTP_PORT) DICOM_PORT=$(DICOM_PORT) DATA=$(DATA) CONFIG=$(CONFIG) HOST=$(HOST)"
	@echo "           ARGS=... for test, bench and report; HOST=0.0.0.0 for serve lets other machines in"

demo: ## Orthanc with sample images and models made from them, until Ctrl-C
	@$(SERVER) $(RUN) docker/demo.sh

serve: ## Orthanc with the plugin, until Ctrl-C
	@$(SERVER) REMOTE_ACCESS_ALLOWED=$(if $(filter 127.% localhost,$(HOST)),false,true) $(RUN) sh -c 'exec Orthanc "$$CONFIG"'

test: ## All tests: unit, property, conformance and integration with a real Orthanc
	@exec $(RUN) python -m pytest -m '' $(ARGS)

test-deployment: ## The containers of docker/compose.yaml, built and run with podman on this machine
	@exec setpriv --pdeathsig TERM tests/deployment/run.sh $(ARGS)

test-next: ## The tests with a real Orthanc in Debian testing: the Orthanc and the Python of the image
	@exec env SUITE=testing $(RUN) python -m pytest -m '' tests/integration tests/conformance $(ARGS)

check: ## Format, lint, types and layers
	@exec $(RUN) sh -euc 'ruff format --check; ruff check; mypy; lint-imports'

lock: ## Renews the lock files of Python packages; ARGS=--upgrade takes the newest versions
	@exec $(RUN) sh -euc 'pip install --quiet --requirement docker/python/tools.in; exec docker/python/lock.sh $(ARGS)'

audit: ## Asks for known vulnerabilities of the locked packages
	@exec $(RUN) sh -euc 'pip install --quiet --requirement docker/python/tools.in; exec docker/python/audit.sh'

bench: ## Benchmarks
	@exec $(RUN) sh -euc 'pip install --quiet --group bench; exec python -m tools.benchmarks $(ARGS)'

sizing: ## What the containers serve in a second, and take of memory and disk
	@exec setpriv --pdeathsig TERM tests/deployment/run.sh --sizing

report: ## Report on models made from the samples
	@exec $(RUN) sh -euc 'pip install --quiet --group bench; exec python -m tools.report $(ARGS)'

shell: ## A shell in the root
	@exec $(RUN) bash

clean: ## Removes caches
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks .coverage
	find . -path ./.root -prune -o -path ./.data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Removes caches, the root and the stored images in .data
	docker/root.sh --remove
	tests/deployment/run.sh --remove
	rm -rf .data
