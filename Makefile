# What there is to do with this repository; `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help run test sim science bench soak browser pictures check audit

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: ## Build and run the demo: a small call centre with customers and agents at work
	cargo run --release -- serve --demo

test: ## Run every test, with real Redis, mail servers and browser; installs what it lacks
	.ci/install redis aiosmtpd chromium playwright
	cargo test --workspace --locked --doc
	cargo test --workspace --locked --lib --bins --tests

sim: ## Run the simulation alone; repeat a run with SEED=…
	cargo test --locked --test sim -- --nocapture

science: ## Hold the router against queueing theory: long; the tables of exact values are given by REFERENCE=…
	cargo run --release -p loadtest -- science --reference $(or $(REFERENCE),../shared/data/reference)

bench: ## Measure every target beside its comparison, into docs/benchmarks.md; a part with ONLY=P1,P3
	.ci/install redis bullmq beanstalkd
	cargo build --release --workspace --locked
	cargo run --release --locked -p loadtest -- bench --write docs/benchmarks.md $(if $(ONLY),--only $(ONLY)) $(BENCH)

soak: ## Load a server at half of its capacity for ten minutes, and account for every callback
	cargo build --release --workspace --locked
	cargo run --release --locked -p loadtest -- soak

browser: ## Run the pages' tests in Chromium alone; installs what it lacks
	.ci/install chromium playwright
	cargo test --locked --test browser

pictures: ## Take the pictures of the pages for the README
	.ci/install chromium playwright
	cargo build --locked
	node tests/browser/pictures.mjs

check: ## Run all that CI runs
	.ci/run

audit: ## Look for known weaknesses in the dependencies; needs the advisory database's network
	.ci/install deny
	cargo deny --workspace check advisories
