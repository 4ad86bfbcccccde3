#!/usr/bin/env bash
# Builds the gateway twice: once so that it counts what it does, and, after it has been loaded as bench/ loads it, once more by these
# counts. What is often done together then lies together, which is worth an eighth of a request's time (docs/performance.md).
#
#   scripts/release.sh                       target/release/gateway, in about a quarter of an hour on two cores
#   LLVM_PROFDATA=/path/to/llvm-profdata scripts/release.sh
#
# Needs what `bench/run` needs of a machine (bench/install.sh), and llvm-profdata of the compiler's own LLVM or a newer one: rustup's
# component llvm-tools, unless LLVM_PROFDATA names another.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
work=$PWD/target/trained
counted=$work/counted

profdata=${LLVM_PROFDATA:-$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata}
if [[ ! -x $profdata ]]; then
    rustup component add llvm-tools || {
        echo "no llvm-profdata: install rustup's component llvm-tools, or set LLVM_PROFDATA" >&2
        exit 69
    }
fi

# With a target named, build scripts and macros are left as they are.
build() {
    cargo build --release --locked --package gateway --target "$host" --target-dir "$work/$1"
}

rm -rf "$counted" "$work/profile"
# Names that are not compressed can be read by every llvm-profdata, also by one without zlib.
RUSTFLAGS="-Cprofile-generate=$counted -Cllvm-args=-enable-name-compression=false" build counting
# One scenario after the other, the gateway alone.
bench/run --program "$work/counting/$host/release/gateway" --peers gateway --rounds 1 \
    --scenarios plain,10k,limited,all-distinct,denied,tls,h2,everything,websocket
"$profdata" merge --output "$work/profile" "$counted"
RUSTFLAGS="-Cprofile-use=$work/profile" build built
install -D "$work/built/$host/release/gateway" target/release/gateway
echo "target/release/gateway"
