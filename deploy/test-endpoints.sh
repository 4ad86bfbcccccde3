#!/usr/bin/env bash
# Asks a running deployment whether it does what it should: smoke first, then load. It spends the tokens of the machine it
# runs on. Needs bash and curl 7.84 or later.
set -uo pipefail

usage() {
    cat <<'END'
usage: deploy/test-endpoints.sh [OPTIONS] URL          such as http://127.0.0.1:5000 or https://api.example.org

  --path PATH       what to ask for through the gateway (default /proxy/)
  --admin URL       the admin listener, if it can be reached from here: probes and metrics are asked too
  --requests N      requests under load (default 2000)
  --parallel N      connections under load (default 50)
  --wait SECONDS    how long the first answer may take (default 10)
  --no-load         smoke only
  --insecure        believe any certificate

Exit code: 0 when every check passed, 1 when one failed, 64 for a wrong call.
END
}

path=/proxy/ admin='' requests=2000 parallel=50 wait=10 load=true url=''
curl=(curl --silent --show-error --max-time 15)
while [[ $# -gt 0 ]]; do
    case $1 in
        --path | --admin | --requests | --parallel | --wait)
            [[ $# -gt 1 ]] || { echo "test-endpoints.sh: $1 needs a value" >&2; usage >&2; exit 64; }
            ;;&
        --path) path=$2; shift ;;
        --admin) admin=${2%/}; shift ;;
        --requests) requests=$2; shift ;;
        --parallel) parallel=$2; shift ;;
        --wait) wait=$2; shift ;;
        --no-load) load=false ;;
        --insecure) curl+=(--insecure) ;;
        --help) usage; exit 0 ;;
        http://* | https://*) url=${1%/} ;;
        *) usage >&2; exit 64 ;;
    esac
    shift
done
[[ -n $url && $requests =~ ^[0-9]+$ && $parallel =~ ^[1-9][0-9]*$ && $wait =~ ^[0-9]+$ ]] || { usage >&2; exit 64; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# One line for each check: what it is about, and what was seen when it failed.
check() {
    local name=$1 ok=$2 seen=${3:-}
    if [[ $ok == yes ]]; then
        printf '  ok      %s\n' "$name"
        passed=$((passed + 1))
    else
        printf '  FAILED  %s%s\n' "$name" "${seen:+: $seen}"
        failed=$((failed + 1))
    fi
}

is() { [[ $1 == "$2" ]] && echo yes || echo no; }
matches() { [[ $1 =~ $2 ]] && echo yes || echo no; }

# Asks once; leaves the status in $status and the head in $work/head.
ask() {
    status=$("${curl[@]}" --output "$work/body" --dump-header "$work/head" --write-out '%{http_code}' "$@" 2>"$work/error") ||
        status="no answer ($(<"$work/error"))"
}
header() { sed -n "s/^$1: *//Ip" "$work/head" 2>/dev/null | tr -d '\r' | tail -n 1; }

reachable() {
    local until=$((SECONDS + wait))
    while ask "$url/health"; [[ $status != 200 && $SECONDS -lt $until ]]; do
        sleep 0.2
    done
    check "GET /health is 200" "$(is "$status" 200)" "$status"
    [[ $status == 200 ]]
}

smoke() {
    ask "$url$path"
    check "GET $path is answered by the upstream or by a limit" "$(matches "$status" '^([234]..|500|501)$')" "$status"
    check "every answer names its request" "$(matches "$(header x-request-id)" '.')"
    check "the answer tells the limit" "$(matches "$(header ratelimit)" '.')" "no RateLimit header on $status"

    ask --header 'X-Request-Id: smoke-test-1' "$url$path"
    check "a sane X-Request-Id is kept" "$(is "$(header x-request-id)" smoke-test-1)" "$(header x-request-id)"

    ask "$url/no-such-route-here"
    check "an unknown path is 404" "$(is "$status" 404)" "$status"
    check "the gateway's own answers are application/problem+json" "$(matches "$(header content-type)" '^application/problem\+json')" "$(header content-type)"
    check "… and say who answered" "$(matches "$(header proxy-status)" '.')" "no Proxy-Status"

    ask --http1.1 --header 'Content-Length: 3' --header 'Content-Length: 4' --data-binary abc "$url$path"
    check "a body of two lengths is refused" "$(matches "$status" '^(400|411|501)$')" "$status"

    case $url in
        https://*)
            ask "$url/metrics"
            check "metrics are closed to the world" "$(is "$status" 404)" "$status"
            ask --tls-max 1.1 "$url/health"
            check "TLS before 1.2 is refused" "$(matches "$status" '^no answer')" "$status"
            ;;
    esac
}

operators() {
    local probe
    for probe in livez readyz; do
        ask "$admin/$probe"
        check "GET /$probe on the admin listener is 200" "$(is "$status" 200)" "$status"
    done
    ask "$admin/metrics"
    check "metrics are there" "$(grep -q '^gateway_build_info' "$work/body" && echo yes || echo no)" "$status"
    # One that misses a deadline is looked for again within a second.
    local until=$((SECONDS + 5))
    while ! grep -q '^gateway_store_up 1' "$work/body" && [[ $SECONDS -lt $until ]]; do
        sleep 0.2
        ask "$admin/metrics"
    done
    check "the shared store answers" "$(grep -q '^gateway_store_up 1' "$work/body" && echo yes || echo no)" \
        "$(grep '^gateway_store_up' "$work/body" || echo "no gateway_store_up")"
}

under_load() {
    local started=${EPOCHREALTIME/[.,]/} took statuses
    "${curl[@]}" --parallel --parallel-immediate --parallel-max "$parallel" --output /dev/null \
        --write-out '%{http_code} %{time_total}\n' "$url$path?n=[1-$requests]" >"$work/load" 2>"$work/errors"
    took=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
    statuses=$(cut -d' ' -f1 "$work/load" | sort | uniq -c | awk '{ printf "%s%s × %d", sep, $2, $1; sep = ", " }')
    echo "          $requests requests over $parallel connections in $took ms: $((requests * 1000 / (took + 1))) a second, this client included"
    echo "          $statuses"
    cut -d' ' -f2 "$work/load" | sort -n | awk '
        { time[NR] = $1 * 1000 }
        END { if (NR) printf "          p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, longest %.1f ms\n", time[int(NR * .5) + 1], time[int(NR * .95) + 1], time[int(NR * .99) + 1], time[NR] }'
    check "every request was answered" "$(is "$(grep -c '^[1-5]' "$work/load")" "$requests")" "$(grep -c '^000' "$work/load") were not"
    check "none was answered with 502, 503 or 504" "$(grep -Eq '^50[234]' "$work/load" && echo no || echo yes)" "$statuses"

    if grep -q '^429' "$work/load"; then
        ask "$url$path"
        if [[ $status == 429 ]]; then
            check "a refusal says when to come back" "$(matches "$(header retry-after)" '^[1-9][0-9]*$')" "Retry-After: $(header retry-after)"
            check "… in application/problem+json" "$(matches "$(header content-type)" '^application/problem\+json')" "$(header content-type)"
        fi
    else
        echo "          no request was refused: the limit is wider than this load, or it does not count this client"
    fi
}

echo "$url"
if reachable; then
    echo "smoke"
    smoke
    if [[ -n $admin ]]; then
        echo "operators"
        operators
    fi
    if $load && [[ $requests -gt 0 ]]; then
        echo "load"
        under_load
    fi
fi
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
