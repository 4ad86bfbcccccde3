# Sourced, not run. Puts the named programs on the PATH: those of the system if they are there, else unpacked from its packages into
# .tools/monitoring. Unpacked and not installed, because the packages start services that would listen on this machine.
# shellcheck shell=bash

monitoring_tools=$PWD/.tools/monitoring
PATH=$monitoring_tools/usr/bin:$PATH

# Debian's package of each program.
package_of() {
    case $1 in
    promtool | prometheus) echo prometheus ;;
    *) echo "$1" ;;
    esac
}

unpack_package() {
    local package=$1 directory
    directory=$(mktemp -d)
    # Downloading works without root; only outdated lists of packages need it.
    if ! (cd "$directory" && apt-get download -qq "$package" 2>/dev/null); then
        if [[ $(id -u) -eq 0 ]]; then apt-get update -qq; else sudo apt-get update -qq; fi
        (cd "$directory" && apt-get download -qq "$package")
    fi
    mkdir -p "$monitoring_tools"
    dpkg-deb --extract "$directory"/*.deb "$monitoring_tools"
    rm -r "$directory"
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null && continue
        if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
            echo "unpacking $tool into .tools (once)"
            unpack_package "$(package_of "$tool")" || true
        fi
        if ! command -v "$tool" >/dev/null; then
            echo "$tool is needed and could not be had: install it and run this again" >&2
            return 1
        fi
    done
}
