# One command per job; `make help` lists them. On a fresh Debian machine only the Swift toolchain and make are needed:
# each target brings what it needs itself.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .build/release
PYTHON := .venv/bin/python

.PHONY: help up down test soak bench generate format lint deps test-deps bench-deps release

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: deps release ## Build, make development certificates, start everything and wait until it is healthy
	$(BIN)/mainstay up

down: ## Stop what `make up` started; the data stays in .mainstay
	@if [ -x $(BIN)/mainstay ]; then $(BIN)/mainstay down; else echo "Nothing to stop: mainstay is not built."; fi

test: test-deps $(PYTHON) release ## Run all tests; the last line is "N passed, N failed"
	@scripts/test.sh

soak: test-deps $(PYTHON) release ## Run the long tests in full
	@MAINSTAY_SOAK=1 scripts/test.sh

bench: deps bench-deps release ## Measure side by side with gRPC C++ and nghttpd, then a large import
	$(MAKE) -C Benchmarks/peers
	python3 Benchmarks/run.py
	python3 Benchmarks/import.py

generate: deps ## Write the code that comes from proto/ anew
	scripts/generate.sh

format: ## Format the Swift sources in place
	swift format --in-place --parallel --recursive Package.swift Sources Tests

lint: deps ## Check the format of the Swift sources and that the generated code is up to date
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	scripts/generate.sh --check

deps: ## Install missing system packages that the build needs
	@scripts/install-packages.sh build

test-deps: ## Install missing system packages that the tests need
	@scripts/install-packages.sh build test

bench-deps: ## Install missing system packages that the benchmarks need
	@scripts/install-packages.sh build bench

release: deps ## Build the programs with optimisation
	swift build -c release

$(PYTHON): Tests/requirements.txt | test-deps
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement Tests/requirements.txt
	@touch $@
