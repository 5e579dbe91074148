# The commands of a developer's day. `make help` lists them; a target without a description there is a bug.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
# Test processes at once.
JOBS ?= 2
# Of a cluster that exists: only from the command line, so that a KUBECONFIG of the environment is not broken unasked.
E2E_KUBECONFIG := $(if $(filter command line,$(origin KUBECONFIG)),$(KUBECONFIG))
# More arguments for a target's command, such as ARGS="-k search" or ARGS="worker -f".
ARGS ?=

BIN := .venv/bin

##@ Start here

.PHONY: help
help: ## List every target
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z0-9-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: ## Make .venv from the locks (every target does this first; instant when nothing changed)
	@$(PYTHON) tools/bootstrap.py

.PHONY: setup-e2e
setup-e2e: setup ## Add to .venv what talks to a cluster and draws pictures (e2e and dashboards do this first)
	@"$$($(PYTHON) tools/bootstrap.py --print-uv)" pip install -q -p $(BIN)/python --require-hashes -r requirements/e2e.txt

##@ The platform on this machine

.PHONY: up
up: setup ## Start the whole platform; Ctrl-C stops it, and its data stays in .taskhub/
	@exec $(BIN)/taskhub up $(ARGS)

.PHONY: demo
demo: setup ## Drive the main job end to end against the running platform
	@$(BIN)/taskhub demo $(ARGS)

.PHONY: status
status: setup ## Show each part of the running platform and the URLs
	@$(BIN)/taskhub status $(ARGS)

.PHONY: logs
logs: setup ## Show the logs; ARGS="worker -f" follows one
	@$(BIN)/taskhub logs $(ARGS)

.PHONY: reindex
reindex: setup ## Build the search index anew from PostgreSQL, while the platform runs
	@$(BIN)/taskhub reindex $(ARGS)

.PHONY: down
down: setup ## Stop the running platform from another terminal
	@$(BIN)/taskhub down $(ARGS)

##@ The cluster

.PHONY: cluster
cluster: setup ## Make a kind cluster with everything in it; KUBECONFIG=path IMAGE_REPOSITORY=host/path take an existing one
	@$(BIN)/python -m tests.e2e.cluster up \
		$(if $(E2E_KUBECONFIG),--kubeconfig "$(E2E_KUBECONFIG)" --repository "$(IMAGE_REPOSITORY)") $(ARGS)

.PHONY: cluster-down
cluster-down: setup ## Remove the kind cluster; what was built for it stays in the cache; ARGS=--engine ends Docker, too
	@$(BIN)/python -m tests.e2e.cluster down $(ARGS)

.PHONY: images
images: setup ## Build the applications' images, and get or build those that the cluster runs
	@$(BIN)/python -m tests.e2e.cluster images

.PHONY: e2e
e2e: setup-e2e ## Break a real cluster's parts under load; CASE=redis_wipe runs one, CASE=gitops Argo CD's; KUBECONFIG=path
	@$(if $(E2E_KUBECONFIG),,$(BIN)/python -m tests.e2e.cluster up $(if $(findstring gitops,$(CASE)),--gitops,--monitoring))
	@$(BIN)/python -m pytest tests/e2e -s $(if $(E2E_KUBECONFIG),--kubeconfig $(E2E_KUBECONFIG)) $(if $(CASE),--case $(CASE)) $(ARGS)

.PHONY: e2e-quick
e2e-quick: setup-e2e ## Break each part of the cluster once; monitoring is not installed for it
	@$(BIN)/python -m tests.e2e.cluster up
	@$(BIN)/python -m pytest tests/e2e -s -m quick $(ARGS)

.PHONY: alarms
alarms: setup-e2e ## Take away a watched cluster's parts until somebody is paged; ARGS="-k redis" runs some
	@$(BIN)/python -m tests.e2e.cluster up --traces
	@$(BIN)/python -m pytest tests/alarms -s $(ARGS)

.PHONY: promote
promote: setup ## Give one environment the version of another, and show what that changes; FROM=staging TO=prod
	@$(BIN)/python -m tools.promote "$(FROM)" "$(TO)"

##@ Containers

.PHONY: compose-up
compose-up: setup ## Start TaskHub in containers with Docker Compose, without a cluster
	@$(BIN)/python -m tests.images.compose up

.PHONY: compose-down
compose-down: setup ## Stop those containers; ARGS=--volumes removes their data, too
	@$(BIN)/python -m tests.images.compose down $(ARGS)

.PHONY: test-images
test-images: setup ## Test the applications' images and the containers of compose.yaml; needs Docker
	@$(BIN)/python -m pytest tests/images $(ARGS)

##@ Watching it

.PHONY: prometheus
prometheus: setup ## Run Prometheus beside make up: it scrapes the programs and judges the alerts (needs Debian's prometheus)
	@exec $(BIN)/python -m observability.local $(ARGS)

.PHONY: dashboards
dashboards: setup-e2e ## Draw the dashboards from a live Prometheus as HTML and PNG; ARGS="--prometheus URL overview" draws one
	@$(BIN)/python -m observability.render $(ARGS)

##@ Code

.PHONY: test
test: setup ## Run every test that needs no container; ARGS="-k search" runs some
	@$(BIN)/taskhub fetch
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: test-aws
test-aws: setup ## Apply Terraform to moto, which imitates AWS, and look at what was made
	@$(BIN)/python -m pytest tests/aws $(ARGS)

.PHONY: faults
faults: setup ## Kill and freeze the platform's parts under load; ARGS="-k redis" runs some, SOAK=600 picks at random
	@$(BIN)/taskhub fetch
	@$(BIN)/python -m pytest tests/faults -s $(if $(SOAK),--soak $(SOAK)) $(ARGS)

.PHONY: chaos
chaos: setup ## Break one thing of the running platform and watch it recover; CASE=redis-kill (without it: list them)
	@$(BIN)/taskhub chaos $(CASE) $(ARGS)

.PHONY: bench
bench: setup ## Measure against plain Celery, procrastinate and plain endpoints; ARGS="jobs --quick" runs some, fast
	@"$$($(PYTHON) tools/bootstrap.py --print-uv)" pip install -q -p $(BIN)/python --require-hashes -r requirements/bench.txt
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: lint
lint: setup ## Check style, types and import rules
	@tools/lint.sh

.PHONY: format
format: setup ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: lock
lock: ## Resolve the dependencies again; ARGS="--upgrade" takes the newest
	@tools/lock.sh $(ARGS)

.PHONY: settings
settings: setup ## List every setting of every process, as Markdown
	@$(BIN)/taskhub settings

.PHONY: chart-docs
chart-docs: setup ## Write the charts' schemas and READMEs from their values
	@tools/chart-docs.sh
