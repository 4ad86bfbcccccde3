#!/usr/bin/env bash
# Holds the dependencies against deny.toml: bans, licences and sources always, advisories when their database can be
# had. Everyone checks with the same cargo-deny: the installed one if it is that version, else one under .tools/.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2

is_right() {
    [[ $("$1" --version 2>/dev/null) == "cargo-deny $version" ]]
}

deny=cargo-deny
if ! is_right "$deny"; then
    deny=.tools/bin/cargo-deny
fi
if ! is_right "$deny"; then
    echo "installing cargo-deny $version under .tools/ (once, a few minutes)"
    # Unoptimised: it runs for a second, and compiles in half the time.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root .tools cargo-deny --version "$version"
fi

"$deny" --locked check --hide-inclusion-graph bans licenses sources

if reason=$("$deny" fetch db 2>&1); then
    "$deny" --locked check --hide-inclusion-graph advisories
else
    cat >&2 <<EOF

!! SKIPPED: known vulnerabilities were NOT checked. The advisory database cannot be fetched:
!! $(tail -n 1 <<<"$reason")

EOF
fi
