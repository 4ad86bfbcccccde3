#!/usr/bin/env bash
# The property tests over histories nobody has seen yet. Says which seed it drew: PROPTEST_RNG_SEED=... repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."

export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$(date +%s)}
export PROPTEST_CASES=${PROPTEST_CASES:-5120}
echo "PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED PROPTEST_CASES=$PROPTEST_CASES"
cargo test --locked -p gateway --test circuit_property --test bucket_property --test limit_property --test limiter_property
