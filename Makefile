# Countermark's commands. `make` alone lists them.
#
# PORT=8081 make up     another public port          HOST_ADDRESS=0.0.0.0 make up   for other machines as well
# STORE=minio make up   MinIO as the object store    make test STORE=minio            the running platform tested on it
#                                                    make test STORE=minio TESTS=...  some of the tests
# COUNTERMARK_DATA=...  another data folder          PYTHON=python3.12 make up      another Python for .venv

PYTHON ?= python3
BIN := .venv/bin
DATA := $(or $(COUNTERMARK_DATA),.countermark)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.local ## start everything on this machine and stay until Ctrl-C
	@exec $(BIN)/python -m infra.local up

demo: .venv/.local ## mark the sample photographs and write countermark-demo.zip here
	@exec $(BIN)/python -m infra.local demo

status: .venv/.local ## say what runs
	@exec $(BIN)/python -m infra.local status

doctor: .venv/.local ## say what is missing on this machine
	@exec $(BIN)/python -m infra.local doctor

ifeq ($(STORE),minio)
test: .venv/.test
	@$(BIN)/python -m infra.tools minio
	$(BIN)/python -m pytest $(or $(TESTS),tests/store tests/contracts tests/system)
else
test: .venv/.test browser check ## install what tests need and run every test
	$(BIN)/python -m pytest --numprocesses 5 --dist loadgroup --no-loadscope-reorder $(TESTS)
endif

# In one flow: tests/jobs plays whole jobs on a real PostgreSQL, tests/connector/test_in_process.py the way of a message.
FAST := tests/test_*.py tests/countermark tests/engine tests/functions tests/jobs tests/local \
	tests/connector/test_in_process.py tests/connector/test_verdict.py

test-fast: .venv/.test check ## what a minute can tell before a commit: style, types, units, and a few orders of events
	EXAMPLES=5 STEPS=10 $(BIN)/python -m pytest -q --numprocesses 4 --dist loadgroup --no-loadscope-reorder \
		-m "not slow" $(FAST)

hostile: .venv/.test ## run hostile files of every kind in cells, and write bench/hostile.md; a minute
	$(BIN)/python -m tests.engine.hostile

test-needs: .venv/.test ## measure what memory images take, beside what the engine says that they need; minutes
	$(BIN)/python -m tests.engine.needs

test-leaks: .venv/.test ## hide a picture in every place of every format and look for it in every result; a minute
	$(BIN)/python -m tests.engine.leaks

fuzz: .venv/.test ## try the engine in cells on 10,000 files changed by chance (COUNT, FIRST); a minute
	$(BIN)/python -m tests.fuzz $(or $(COUNT),10000) $(or $(FIRST),0)

# The kernel alone, by libFuzzer. Debian: apt-get install clang libclang-rt-14-dev libjpeg-dev
NATIVE := functions/countermark/engine/native
build/fuzz/kernel: tests/fuzz/kernel.c $(wildcard $(NATIVE)/*.[ch])
	@command -v clang >/dev/null || { echo "clang is needed: apt-get install clang libclang-rt-14-dev libjpeg-dev" >&2; exit 1; }
	@mkdir -p $(@D)
	clang -g -O1 -Wall -Wno-psabi -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-I$(NATIVE) -I$(NATIVE)/libjpeg-turbo $< $(NATIVE)/*.c -ljpeg -o $@

fuzz-kernel: build/fuzz/kernel .venv/.test ## try the compiled kernel on any bytes, with sanitizers (SECONDS=600); needs clang
	@mkdir -p build/fuzz/found
	$(BIN)/python -m tests.fuzz.kernel_seeds build/fuzz/seeds
	cd build/fuzz && ./kernel found seeds -max_total_time=$(or $(SECONDS),600) -max_len=16384 -timeout=60 -print_final_stats=1

corpus: .venv/.test ## mark thousands of images that packages carry, in cells, and look at the results: bench/corpus.md (Debian, npm)
	$(BIN)/python -m bench.corpus $(FOLDERS)

test-large: .venv/.test .venv/.local ## send a job over 4 GiB and one of 10,000 images; minutes, 20 GB of disk for temporary files
	$(BIN)/python -m pytest tests/large

test-images: .venv/.test .venv/.local ## build the images with buildah and run them (root, Debian)
	$(BIN)/python -m pytest tests/images/builds.py

test-cluster: .venv/.test ## apply what is rendered for Kubernetes to a real API server (it builds one first, once)
	$(BIN)/python -m pytest tests/apiserver

test-hosts: .venv/.test .venv/.local ## test several hosts on this machine: network namespaces, needs root; minutes
	$(BIN)/python -m pytest tests/hosts

test-openfaas: .venv/.test .venv/.local ## run the flow through OpenFaaS's gateway, faas-cli and watchdogs (root; OPENFAAS_BIN)
	$(BIN)/python -m pytest tests/openfaas

test-node: .venv/.test .venv/.local ## run the system on a Kubernetes node of this machine (root, Debian; builds Kubernetes once)
	$(BIN)/python -m pytest tests/cluster/on_node.py tests/cluster/on_knative.py tests/cluster/whole.py
	$(BIN)/python -m pytest tests/cluster/on_two_nodes.py

test-chaos: .venv/.test .venv/.local ## hurt the platform in all ways while it works; nothing may be lost (root, Debian; ten minutes)
	$(BIN)/python -m pytest tests/chaos
	$(BIN)/python -m tests.chaos

test-orders: .venv/.test ## play jobs, people, faults and time in any order, for hours (EXAMPLES, STEPS)
	EXAMPLES=$(or $(EXAMPLES),20000) STEPS=$(or $(STEPS),60) $(BIN)/python -m pytest --timeout 0 \
		tests/jobs/test_interruptions.py tests/jobs/test_state_machine.py

test-mutants: .venv/.test .venv/.mutants ## break functions and see whether a test notices (SHARE=20 of each module; all are hours)
	SHARE=$(or $(SHARE),1) $(BIN)/python -m tests.mutants

check: .venv/.test ## look at style and types; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy functions/countermark infra

fix: .venv/.test ## mend style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshots: .venv/.test browser ## picture every state of the pages in build/screenshots
	$(BIN)/python -m tests.web.screenshots

bench: .venv/.bench ## measure the engine beside others, and the flow beside the engine
	$(BIN)/python -m bench.engine
	$(BIN)/python -m bench.cells
	$(BIN)/python -m bench

clean: ## delete what was built and installed; the platform's data stays
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: ## delete the platform's data: jobs, images, the drop bucket, secrets, logs
	@[ ! -e "$(DATA)/lock" ] || flock --nonblock "$(DATA)/lock" rm -rf "$(DATA)" \
		|| { echo "$(DATA) was not deleted: stop what runs there first." >&2; exit 1; }

env: .venv/.local ## make .venv

browser: .venv/.test
	@sh infra/local/browser.sh $(BIN)/playwright

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or later is needed: install it, and name it by PYTHON=... if it is not $(PYTHON)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python cannot make environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

# A stamp for each set of packages, older than pyproject.toml when there may be something to install.
.venv/.local .venv/.test .venv/.bench .venv/.mutants: .venv/.%: pyproject.toml | .venv/bin/pip
	@echo "Installing Countermark ($*)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local,$*]'
	@touch $@

.PHONY: help up demo status doctor corpus fuzz fuzz-kernel test test-fast test-large test-images test-leaks hostile test-needs test-cluster test-hosts test-openfaas test-orders test-mutants test-node test-chaos check fix screenshots bench clean clean-data env browser
