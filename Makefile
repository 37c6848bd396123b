# Commands for people and for CI. `make help` lists them; `make check` is exactly what CI runs.
# Every target makes the environment it needs. PYTHON=python3.12 or VENV=/elsewhere choose another one.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
PYTEST_ARGS ?=
BENCH_ARGS ?=
CHECK_ARGS ?=
FUZZ_ARGS ?=
TORTURE_ARGS ?=
PLANTED_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo audit check lint format types imports doctest test modules bench bench-check planted fuzz torture readers wheel-test lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing sflow-pipeline into $(VENV) (some minutes the first time)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing sflow-pipeline and its developer tools into $(VENV) (some minutes the first time)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.installed $@

demo: $(VENV)/.installed ## Render a small dump, convert it on this machine, show where the pictures are
	rm -rf demo
	$(BIN)/sflow-pipeline simulate demo/sim --sequences 2 --frames 5 --size 512x256 --seed 7
	$(BIN)/sflow-pipeline convert demo/sim demo/out
	$(BIN)/sflow-pipeline verify demo/out
	@test -s demo/out/report/contact_sheet.png
	@echo
	@echo "Open demo/out/report/contact_sheet.png (pictures) or demo/out/report/index.html (the whole report)."

check: lint types imports doctest test ## Everything CI checks: lint, types, imports, doctests, tests

lint: $(VENV)/.installed-dev ## ruff, hadolint, shellcheck, schemas of the manifests and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint docker/Dockerfile.cpu docker/Dockerfile.cuda
	$(BIN)/shellcheck pipelines/schedules/*.sh tools/*.sh
	$(BIN)/check-jsonschema -q --schemafile tests/docker/schemas/rayjob.json docker/rayjob.yaml
	$(BIN)/check-jsonschema -q --schemafile tests/docker/schemas/raycronjob.json docker/raycronjob.yaml
	$(BIN)/check-jsonschema -q --schemafile pipelines/job.schema.json pipelines/*.yaml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.compose-spec docker/compose.yaml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/check.yml pipelines/ci/github.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.gitlab-ci pipelines/ci/gitlab.yml

format: $(VENV)/.installed-dev ## Rewrite the code as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.installed-dev ## The floors of the architecture (import-linter)
	$(BIN)/lint-imports --no-cache

doctest: $(VENV)/.installed-dev ## The examples in docstrings
	$(BIN)/pytest --doctest-modules sflow_pipeline

test: $(VENV)/.installed-dev ## The tests, on all cores; PYTEST_ARGS='-k gate -x' narrows them
	$(BIN)/pytest -n auto --dist loadgroup $(PYTEST_ARGS)

modules: ## Write docs/modules.md from the docstrings
	$(PYTHON) tools/list_modules.py

bench: $(VENV)/.installed-dev ## Measure speed on this machine; BENCH_ARGS='--only pipeline --frames 64' narrows it
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

bench-check: $(VENV)/.installed-dev ## Fail where speed fell by 15 % against reference work of the same run; CHECK_ARGS=--update keeps it
	$(BIN)/python benchmarks/check.py $(CHECK_ARGS)

planted: $(VENV)/.installed-dev ## Count planted errors that the gate finds; PLANTED_ARGS='sflow PHOTOS --split val --converted'
	$(BIN)/python -m benchmarks.planted_errors $(PLANTED_ARGS)

fuzz: $(VENV)/.installed-dev ## Damage 10 000 input files, seeded, and read them; FUZZ_ARGS='--cases 500 --seed 7'
	$(BIN)/python tests/hardening/fuzz.py $(FUZZ_ARGS)

torture: $(VENV)/.installed-dev ## 100 seeded runs that are killed, starved and disturbed; TORTURE_ARGS='--runs 20 --places local'
	$(BIN)/python tests/hardening/torture.py $(TORTURE_ARGS)

readers: $(VENV)/.installed-dev ## Read datasets with the oldest and newest `datasets`, exports with Ultralytics and cityscapesScripts
	tools/try_readers.sh $(VENV)

audit: $(BIN)/python ## Known vulnerabilities of the pinned dependencies, asked of an index on the network
	$(BIN)/python -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install -qq pip-audit
	$(VENV)/audit/bin/pip-audit -r constraints.txt --no-deps --disable-pip

wheel-test: $(VENV)/.installed-dev ## Build wheel and sdist, install the wheel in a fresh environment, convert with it
	$(BIN)/pytest -m wheel tests/wheel

# torch stays at its exact version: a range admits a newer release, which on Linux brings several GB of CUDA with it.
lock: ## Resolve every dependency anew in an empty environment and write constraints.txt
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -qq $$(grep '^torch==' constraints.txt) '.[dev]'
	{ sed -n '/^#/p' constraints.txt; \
	  build/lock/bin/python -m pip freeze --exclude sflow-pipeline | sed -E 's/\+[a-z0-9.]+$$//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt && rm -rf build/lock

clean: ## Remove what the commands above made, the environment included
	rm -rf $(VENV) demo smoke dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
