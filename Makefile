# The doors of this repository. Everything a person or a CI does goes through one of them.

CARGO ?= cargo
# How long `make fuzz` gives each target: 10 to see that all is well, 600 before a release.
SECONDS ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo test release test-clients test-cache-suite fuzz test-console check prove properties bench bench-fleet fleet bench-instructions validate test-image-recipe docs dashboards validate-monitoring test-dashboards

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run two gateways, a mock upstream and an embedded store in one process
	$(CARGO) run --locked -p gateway -- demo

test: ## install what the tests need and run them all
	scripts/install-test-deps.sh
	$(CARGO) test --workspace --locked
	scripts/test-dashboards.sh --where-possible

release: ## build target/release/gateway by what it was seen to do under load: twice the time, an eighth less of a request's
	bench/install.sh
	scripts/release.sh

test-console: ## drive the console in headless Chromium against real gateways
	scripts/test-console.sh

test-clients: ## drive a release build with curl, h2load, Python's websockets and grpcio, and a browser; GiB, 10^6 messages, slow clients
	scripts/install-test-deps.sh
	scripts/test-clients.sh

test-cache-suite: ## run the public suite of HTTP caches against a route that keeps answers (needs node and npm)
	scripts/test-cache-suite.sh

fuzz: ## fuzz whatever reads a stranger's bytes (SECONDS=600: for each target; needs a nightly toolchain)
	scripts/fuzz.sh $(SECONDS)

bench-fleet: ## measure several gateways that share one Redis (FLAGS=--quick: a minute or two instead of ten)
	scripts/install-test-deps.sh
	$(CARGO) build --release --locked -p gateway -p fleet
	target/release/fleet $(FLAGS)

fleet: ## scale replicas 3 to 10 to 3 under load, replace and kill some; fails if a request is lost or a limit broken
	scripts/install-test-deps.sh
	$(CARGO) build --release --locked -p gateway -p fleet
	target/release/fleet --moves

check: ## format, lints, layering, docs, licences and advisories
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path bench/peers/pingora/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --locked -p gateway --test layering
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	scripts/check-dependencies.sh

prove: ## go through every state of the models of leases and circuits
	$(CARGO) run --profile prove --locked -p models

properties: ## draw 20 times as many histories for the property tests as `make test` does, and others each time
	scripts/install-test-deps.sh
	scripts/properties.sh

docs: ## write the pages that are made from the code: every key of the configuration, and its schema
	WRITE_DOCS=1 $(CARGO) test --locked -p gateway --test config pages

dashboards: ## write the Grafana dashboards from their generator
	cd deploy/grafana && python3 -m generator

validate: ## images, Compose files, manifests, charts, units, workflows, scripts, monitoring; offline
	scripts/validate.sh

test-image-recipe: ## run the release binary as its image and manifest would, where there is no container engine
	scripts/test-image-recipe.sh

validate-monitoring: ## scrape configuration, alerts with their unit tests, dashboards, runbook
	scripts/validate-monitoring.sh

test-dashboards: ## the last part of `make test`: ask every dashboard and alert query of a Prometheus that watches a running fleet
	scripts/test-dashboards.sh

bench: ## measure the gateway beside nginx, HAProxy, Pingora, Envoy, Traefik and Caddy, here and now (FLAGS="--scenarios plain")
	$(MAKE) release
	$(CARGO) build --release --locked -p fleet
	bench/run $(FLAGS)
	bench/run --footprint
	bench/run --latency
	bench/run --growth --rounds 3
	@if $(MAKE) -n bench-fleet >/dev/null 2>&1; then $(MAKE) bench-fleet; fi

bench-instructions: ## count the instructions of a request and its steps, and report the change
	bench/instructions $(FLAGS)
