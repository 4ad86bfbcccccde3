#!/usr/bin/env bash
# Runs the fuzz targets of gateway/fuzz one after the other under libFuzzer with AddressSanitizer, and stops at a finding.
#
#   scripts/fuzz.sh SECONDS [TARGET...]      SECONDS for each; all targets unless some are named
#
# Needs a nightly toolchain (FUZZ_TOOLCHAIN, `nightly` unless set) and cargo-fuzz, and installs what is missing. What a run learns is
# kept in gateway/fuzz/target/corpus; gateway/fuzz/corpus holds the seeds, and what was once a finding.
set -euo pipefail
cd "$(dirname "$0")/../gateway/fuzz"

seconds=${1:?how many seconds for each target}
shift
toolchain=${FUZZ_TOOLCHAIN:-nightly}

rustup run "$toolchain" rustc --version >/dev/null 2>&1 || rustup toolchain install "$toolchain" --profile minimal
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz@0.13.2

fuzz() {
    cargo "+$toolchain" fuzz "$@"
}

if [[ $# -eq 0 ]]; then
    mapfile -t targets < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
    set -- "${targets[@]}"
    fuzz build
fi

for target in "$@"; do
    learnt=target/corpus/$target
    mkdir -p "$learnt"
    echo "== $target: $seconds s"
    fuzz run "$target" "$learnt" "corpus/$target" -- -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 2>&1 |
        grep -E '^(==|stat::(number_of|average_exec)|SUMMARY|Done|thread|assertion| +(left|right):|artifact)|panicked|Base64' || [[ ${PIPESTATUS[0]} -eq 0 ]]
done
