#!/usr/bin/env bash
# Drives the console in headless Chromium against real gateways. Installs Chromium and redis-server from the system's packages and
# playwright-core from npm, where they are missing. `test-console.sh shots` renews the pictures in docs/images instead.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-test-deps.sh

has_chromium() {
    [[ -n ${CHROMIUM:-} ]] || command -v chromium chromium-browser google-chrome >/dev/null
}

if ! has_chromium; then
    as_root=$([[ $(id -u) -eq 0 ]] || echo sudo)
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi

cargo build --locked -p gateway -p upstream-mock
cd gateway/tests/console
npm ci --no-fund --no-audit --silent
if [[ ${1:-test} == shots ]]; then
    mkdir -p ../../../docs/images
    node shots.mjs
else
    npm test --silent
fi
