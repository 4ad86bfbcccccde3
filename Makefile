# The doors of this repository. Everything a person or a CI does goes through one of them.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo test check prove

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run two gateways, a mock upstream and an embedded store in one process
	$(CARGO) run --release --locked -p gateway -- demo

test: ## install what the tests need and run them all
	scripts/install-test-deps.sh
	$(CARGO) test --workspace --locked

check: ## format, lints, layering, docs, licences and advisories
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --locked -p gateway --test layering
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	scripts/check-dependencies.sh

prove: ## go through every state of the models of leases and circuits
	$(CARGO) run --profile prove --locked -p models
