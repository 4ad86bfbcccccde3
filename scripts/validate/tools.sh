#!/usr/bin/env bash
# Puts the engines of `make validate` under .tools/validate/: from PyPI, npm and Debian's archive, each at the version that
# stands beside this file. Nothing is installed on the system and nothing is started. What cannot be had is left out; the
# check that misses it says so.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

here=scripts/validate
tools=.tools/validate
stamp=$tools/stamp
wanted=$(cat "$here/requirements.txt" "$here/package.json" "$0" | sha256sum)
if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    exit 0
fi

echo "installing the engines under $tools/ (once, a minute or two)"
mkdir -p "$tools"
complete=true
missing() {
    echo "!! not installed: $*" >&2
    complete=false
}

python_tools() {
    python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}
# One by one when not all can be had, as on a system for which one of them has no wheel.
if ! python_tools --requirement "$here/requirements.txt" 2>/dev/null; then
    while read -r requirement; do
        python_tools "$requirement" >/dev/null 2>&1 || missing "$requirement (PyPI)"
    done < <(grep -v '^#' "$here/requirements.txt")
fi

if command -v npm >/dev/null; then
    cp "$here/package.json" "$tools/package.json"
    npm install --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null 2>&1 || missing "$here/package.json (npm)"
else
    missing "$here/package.json (no npm here)"
fi

# Unpacked rather than installed: the packages would start servers of their own.
from_debian() {
    local program=$1 package=$2 into
    command -v "$program" >/dev/null && return
    command -v apt-get >/dev/null || { missing "$program (not on the PATH, and no apt-get here)"; return; }
    # A fresh machine has no package lists yet, and only root may fetch them.
    if [[ $(id -u) -eq 0 ]] && ! apt-cache show "$package" >/dev/null 2>&1; then
        apt-get update -qq >/dev/null 2>&1
    fi
    into=$(mktemp -d)
    if (cd "$into" && apt-get download -qq "$package" >/dev/null 2>&1) && dpkg-deb -x "$into"/*.deb "$tools/debian"; then
        echo "unpacked $package"
    else
        missing "$program (package $package; perhaps after \`apt-get update\`)"
    fi
    rm -rf "$into"
}
from_debian amtool prometheus-alertmanager
from_debian systemd-analyze systemd
# For scripts/test-image-recipe.sh.
from_debian bwrap bubblewrap

# What is missing is tried again next time.
if $complete; then
    echo "$wanted" >"$stamp"
fi
