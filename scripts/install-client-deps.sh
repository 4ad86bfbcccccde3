#!/usr/bin/env bash
# Makes sure that the clients are there which `make test-clients` drives: curl, h2load, Chromium with playwright-core, and Python's
# grpcio and websockets in .tools/clients. Touches nothing when they are.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root=$([[ $(id -u) -eq 0 ]] || echo sudo)
wanted=()
command -v curl >/dev/null || wanted+=(curl)
command -v h2load >/dev/null || wanted+=(nghttp2-client)
command -v node >/dev/null || wanted+=(nodejs npm)
[[ -n ${CHROMIUM:-} ]] || command -v chromium chromium-browser google-chrome >/dev/null || wanted+=(chromium)
if [[ ${#wanted[@]} -gt 0 ]]; then
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${wanted[@]}"
fi

[[ -d gateway/tests/console/node_modules ]] || npm ci --prefix gateway/tests/console --no-fund --no-audit --silent

requirements=scripts/client-requirements.txt
stamp=.tools/clients/requirements.txt
if ! cmp -s "$requirements" "$stamp"; then
    python3 -m venv .tools/clients
    .tools/clients/bin/pip install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$stamp"
fi
