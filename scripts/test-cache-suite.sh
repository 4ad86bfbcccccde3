#!/usr/bin/env bash
# The public suite of HTTP caches (https://cache-tests.fyi) against a gateway in front of the suite's own origin, on loopback addresses.
# Needs Node and the npm registry; where that cannot be reached it is skipped, loudly, and in CI it fails. GATEWAY: a binary to use.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=.tools/cache-suite
package=http-cache-tests@0.4.5
if ! npm install --silent --no-fund --no-audit --no-save --ignore-scripts --omit=dev --prefix "$suite" "$package"; then
    echo "SKIPPED: $package could not be installed." >&2
    [[ -z ${CI:-} ]] && exit 0
    exit 1
fi
if [[ -z ${GATEWAY:-} ]]; then
    cargo build --locked -p gateway
    GATEWAY=target/debug/gateway
fi

work=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
read -r origin proxy admin < <(python3 -c '
import socket
free = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in free))')

export npm_config_protocol=http npm_config_port="$origin" npm_config_pidfile="$work/pid" npm_package_config_id=
export npm_config_base="http://127.0.0.1:$proxy"
node "$suite/node_modules/http-cache-tests/server/server.mjs" >"$work/origin.log" 2>&1 &
children+=($!)
PORT="$proxy" GATEWAY__ADMIN__LISTEN="127.0.0.1:$admin" UPSTREAM_URL="http://127.0.0.1:$origin" \
    "$GATEWAY" run --config scripts/cache_suite/gateway.toml >"$work/gateway.log" 2>&1 &
children+=($!)
for port in "$origin" "$admin"; do
    curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port/" || { cat "$work"/*.log; exit 1; }
done

for round in 1 2 3; do
    node --no-warnings "$suite/node_modules/http-cache-tests/cli.mjs" >"$work/results.$round"
    python3 scripts/cache_suite/compare.py scripts/cache_suite/differs.txt "$work"/results.* && exit 0
    echo "round $round of 3 is over"
done
exit 1
