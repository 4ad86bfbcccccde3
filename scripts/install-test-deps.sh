#!/usr/bin/env bash
# Makes sure that what the tests start is there: redis-server, redis-sentinel and libfaketime. Touches nothing when they are.
set -euo pipefail

missing() {
    local program list=()
    for program in redis-server redis-sentinel faketime; do
        command -v "$program" >/dev/null || list+=("$program")
    done
    echo "${list[*]-}"
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "not root, and there is no sudo to run: $*" >&2
        return 1
    fi
}

# The packages start a server of their own on some systems; the tests use free ports and do not mind it.
install() {
    if command -v apt-get >/dev/null; then
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server redis-sentinel faketime
    elif command -v dnf >/dev/null; then
        as_root dnf install -y -q redis || as_root dnf install -y -q valkey-compat-redis
        as_root dnf install -y -q libfaketime
    elif command -v apk >/dev/null; then
        as_root apk add --quiet redis libfaketime
    elif command -v pacman >/dev/null; then
        as_root pacman -Sy --noconfirm --needed valkey libfaketime
    elif command -v brew >/dev/null; then
        brew install --quiet redis libfaketime
    else
        echo "no package manager known here (apt, dnf, apk, pacman, brew)" >&2
        return 1
    fi
}

[[ -z $(missing) ]] && exit 0

echo "installing for the tests: $(missing)"
install || true

if [[ -n $(missing) ]]; then
    echo "The tests need $(missing) on the PATH, and it could not be installed." >&2
    echo "Install Redis 6.2 or later (or Valkey with its redis-* names) by hand, then run this again." >&2
    exit 1
fi
