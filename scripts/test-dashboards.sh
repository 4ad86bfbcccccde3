#!/usr/bin/env bash
# Asks every query of the dashboards and alerts of a real Prometheus that watches two real gateways, Redis and their misfortunes.
# GATEWAY_BINARIES names a directory with other binaries than those of the debug build. Takes about a minute and a half. With
# --where-possible it is left out, and says so, where Prometheus and its exporters cannot be had; not in a pipeline (CI=true).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/monitoring-tools.sh
source scripts/monitoring-tools.sh

scripts/install-test-deps.sh
if ! need prometheus promtool prometheus-redis-exporter prometheus-node-exporter python3; then
    [[ ${1-} == --where-possible && ${CI-} != true ]] || exit 1
    printf '\n!! SKIPPED: the queries of dashboards and alerts were not asked.\n\n' >&2
    exit 0
fi
if [[ -z ${GATEWAY_BINARIES-} ]]; then
    "${CARGO:-cargo}" build --locked -p gateway -p upstream-mock
    GATEWAY_BINARIES=${CARGO_TARGET_DIR:-$PWD/target}/debug
fi
export GATEWAY_BINARIES
python3 tests/dashboards/test_queries.py
