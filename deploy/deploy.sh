#!/usr/bin/env bash
# Puts the gateway somewhere: containers on this machine (dev, prod, monitoring) or a Kubernetes cluster (k8s).
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'END'
usage: deploy/deploy.sh [--dry-run] WHERE WHAT [ARGUMENTS]

  dev         build | up [REPLICAS] | status | logs | test [ARGUMENTS] | down
  prod        init [--self-signed] | certificate CHAIN KEY | build | up | status | logs | test [ARGUMENTS] | rollback | down
  monitoring  up | status | logs | down            beside whichever of dev and prod runs
  k8s         render | secret | up | status | logs | test | rollback | dashboards | down
  acl                                              prints Redis' users for the passwords in GATEWAY_PASSWORD and
                                                   METRICS_PASSWORD, for a Redis of your own

  --dry-run   prints the commands and runs none
  OVERLAY     the overlay for k8s: dev (default), staging or production; its namespace follows from it
  REDIS_HOST  for `k8s secret`: the name of Redis (default: redis, as kustomize has it; Helm: RELEASE-api-gateway-redis)
  IMAGE       for `prod up` and `k8s up`: this image instead of the one in .env or in the overlay

prod init writes .env and deploy/secrets/ with passwords that it makes, and keeps what is there. prod certificate puts a
certificate there, or a renewed one, which a front that runs uses at once. test hands its arguments to deploy/test-endpoints.sh.
prod rollback and k8s rollback go back to what ran before the last `up`.
END
}

die() {
    echo "deploy.sh: $*" >&2
    exit 1
}

dry=false
run() {
    if $dry; then
        printf '%q ' "$@"
        echo
    else
        "$@"
    fi
}

need() {
    $dry || command -v "$1" >/dev/null || die "$1 is not installed"
}

revision() {
    git rev-parse --short=12 HEAD 2>/dev/null || echo unknown
}

# --- Compose ---------------------------------------------------------------------------------------------------------

compose() {
    need docker
    run docker compose --project-directory . "${files[@]}" "$@"
}

dev_files=(--file docker-compose.yml)
prod_files=(--file deploy/docker-compose.prod.yml)
# What ran before the last `prod up`, for a rollback.
previous=deploy/secrets/previous_image

dev() {
    files=("${dev_files[@]}")
    case ${1:-} in
        build) REVISION=$(revision) compose build ;;
        up) REVISION=$(revision) compose up --build --detach --wait --scale "gateway=${2:-1}" ;;
        status) compose ps ;;
        logs) compose logs --follow --tail 100 gateway ;;
        test)
            shift
            [[ $# -gt 0 ]] || set -- http://127.0.0.1:5000
            run deploy/test-endpoints.sh "$@"
            ;;
        down) compose down --remove-orphans ;;
        *) usage >&2; exit 64 ;;
    esac
}

prod() {
    files=("${prod_files[@]}")
    case ${1:-} in
        init) init "${2:-}" ;;
        certificate) certificate "${2:-}" "${3:-}" ;;
        build) build_for_prod ;;
        up) prod_up ;;
        status) compose ps ;;
        logs) compose logs --follow --tail 100 gateway front ;;
        test)
            shift
            # By this host's own address, for which no certificate is; a name that is given is held to its certificate.
            [[ $# -gt 0 ]] || set -- --insecure "https://127.0.0.1:$(setting HTTPS_PORT 443)"
            run deploy/test-endpoints.sh "$@"
            ;;
        rollback) prod_rollback ;;
        down) compose down ;;
        *) usage >&2; exit 64 ;;
    esac
}

# A value of .env, or the default.
setting() {
    local value=
    if [[ -f .env ]]; then
        value=$(sed -n "s/^$1=//p" .env | tail -n 1)
    fi
    echo "${value:-$2}"
}

# Writes a value to .env, unless one is there.
settle() {
    local name=$1 value=$2
    [[ -n $(setting "$name" "") ]] && return
    if $dry; then
        echo "# would set $name in .env"
    elif grep -q "^$name=" .env; then
        sed -i "s|^$name=.*|$name=$value|" .env
    else
        echo "$name=$value" >>.env
    fi
}

password() {
    openssl rand -hex 24
}

sha256() {
    printf '%s' "$1" | openssl dgst -sha256 -r | cut -d' ' -f1
}

# What the gateways send and their scripts call; the last line is for Sentinel and Cluster.
gateway_may=(
    +ping +hello +select +quit +client\|setname +client\|id +info
    +eval +evalsha +script\|load +script\|exists +time
    +get +set +del +unlink +pttl +pexpire +expireat
    +hget +hmget +hset +hdel +hgetall +hkeys +hlen
    +zadd +zcard +zcount +zrem +zrange +zrangebyscore +zrevrangebyscore +zremrangebyscore
    +publish +subscribe +unsubscribe
    +spublish +ssubscribe +sunsubscribe +role +cluster\|slots +cluster\|shards +cluster\|nodes +readonly +asking
)

# The users of Redis: who asks nothing, the gateways, and metrics. Passwords appear here as their hashes.
acl() {
    local gateway=$1 metrics=$2
    cat <<END
user default on nopass resetkeys resetchannels -@all +ping
user gateway on #$(sha256 "$gateway") resetkeys ~api-gateway:* resetchannels &api-gateway:* -@all ${gateway_may[*]}
user metrics on #$(sha256 "$metrics") resetkeys resetchannels -@all +ping +hello +info +client|setname +client|list +config|get +latency|latest +latency|histogram +slowlog|len +slowlog|get +dbsize
END
}

init() {
    need openssl
    if $dry; then
        echo "# would write .env and deploy/secrets/{redis_url,redis_users.acl}, where they do not exist"
        return
    fi
    [[ -f .env ]] || (umask 077 && cp .env.example .env)
    mkdir -p deploy/secrets
    chmod 700 deploy/secrets
    settle GRAFANA_ADMIN_PASSWORD "$(password)"
    if [[ ! -f deploy/secrets/redis_url ]]; then
        local gateway metrics
        gateway=$(password)
        metrics=$(setting REDIS_METRICS_PASSWORD "$(password)")
        acl "$gateway" "$metrics" >deploy/secrets/redis_users.acl
        printf 'redis://gateway:%s@redis:6379\n' "$gateway" >deploy/secrets/redis_url
        # What the containers' own users read; the directory keeps everybody else out.
        chmod 444 deploy/secrets/redis_url deploy/secrets/redis_users.acl
        settle REDIS_METRICS_USER metrics
        settle REDIS_METRICS_PASSWORD "$metrics"
        echo "made: users and passwords of Redis, in deploy/secrets/"
    fi
    if [[ $1 == --self-signed && ! -f deploy/secrets/tls.crt ]]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
            -keyout deploy/secrets/tls.key -out deploy/secrets/tls.crt 2>/dev/null
        chmod 444 deploy/secrets/tls.key deploy/secrets/tls.crt
        echo "made: a certificate for 30 days that no browser believes, in deploy/secrets/"
    fi
    local name
    for name in GATEWAY_IMAGE UPSTREAM_URL; do
        [[ -n $(setting "$name" "") ]] || echo "still to be set in .env: $name"
    done
    [[ -n $(setting TLS_CERTIFICATE "") || -f deploy/secrets/tls.crt ]] ||
        echo "still to be given: a certificate, as TLS_CERTIFICATE and TLS_KEY in .env or as deploy/secrets/tls.{crt,key}"
}

# Into the files that are mounted, not in their place: a mount stays with the file that it found.
certificate() {
    local chain=$1 key=$2
    [[ -n $chain && -n $key ]] || { usage >&2; exit 64; }
    if $dry; then
        echo "# would put $chain and $key into deploy/secrets/tls.crt and tls.key, and have a front that runs read them"
        return
    fi
    need openssl
    [[ $(openssl x509 -in "$chain" -noout -pubkey) == "$(openssl pkey -in "$key" -pubout)" ]] ||
        die "the key in $key is not the key of the certificate in $chain"
    mkdir -p deploy/secrets
    chmod 700 deploy/secrets
    local file
    for file in tls.key tls.crt; do [[ ! -e deploy/secrets/$file ]] || chmod u+w "deploy/secrets/$file"; done
    cat "$key" >deploy/secrets/tls.key
    cat "$chain" >deploy/secrets/tls.crt
    # What the front's own user reads; the directory keeps everybody else out.
    chmod 444 deploy/secrets/tls.key deploy/secrets/tls.crt
    [[ -z $(setting TLS_CERTIFICATE "") ]] || echo "TLS_CERTIFICATE in .env names another: take it out"
    echo "deploy/secrets/tls.crt: $(openssl x509 -in "$chain" -noout -enddate)"
    if command -v docker >/dev/null && [[ -n $(docker compose --project-directory . "${files[@]}" ps --quiet front 2>/dev/null) ]]; then
        compose exec -T front nginx -s reload
    fi
}

build_for_prod() {
    need docker
    local image
    image="api-gateway:$(revision)"
    run docker build --file deploy/Dockerfile --build-arg "REVISION=$(revision)" --tag "$image" .
    settle GATEWAY_IMAGE "$image"
    echo "built $image; .env runs $(setting GATEWAY_IMAGE "$image")"
}

running_image() {
    docker compose --project-directory . "${files[@]}" ps --format '{{.Image}}' gateway 2>/dev/null | head -n 1
}

prod_up() {
    if ! $dry; then
        [[ -f .env && -f deploy/secrets/redis_url ]] || die "run \`deploy/deploy.sh prod init\` first"
        local before
        before=$(running_image) || true
        if [[ -n $before && $before != "${IMAGE:-$(setting GATEWAY_IMAGE "")}" ]]; then
            echo "$before" >"$previous"
        fi
    fi
    [[ -z ${IMAGE:-} ]] || export GATEWAY_IMAGE=$IMAGE
    # On one host Compose replaces replicas all at once. So twice as many first: the old ones go only when new ones serve.
    if ! $dry && [[ -n $(running_image) ]]; then
        roll
    else
        compose up --detach --wait
    fi
}

# New replicas beside the old ones; when they are healthy, the old ones drain. The front finds both by name.
roll() {
    local replicas old
    replicas=$(setting GATEWAY_REPLICAS 3)
    mapfile -t old < <(docker compose --project-directory . "${files[@]}" ps --quiet gateway)
    compose up --detach --wait --no-recreate --scale "gateway=$((${#old[@]} + replicas))" gateway
    # So that the front has asked for the names again (every 5 s).
    run sleep 6
    run docker stop -t 50 "${old[@]}"
    run docker rm "${old[@]}"
    # The front and Redis too, where their own part of the file has changed; the gateways just started are as it says.
    compose up --detach --wait --scale "gateway=$replicas"
}

prod_rollback() {
    if $dry; then
        echo "# would run the image named in $previous"
        return
    fi
    [[ -s $previous ]] || die "nothing ran before what runs now"
    IMAGE=$(<"$previous")
    echo "back to $IMAGE"
    prod_up
    echo "until the next \`up\`; to stay there, set GATEWAY_IMAGE=$IMAGE in .env"
}

monitoring() {
    # Beside production if that is what has been set up, beside development otherwise.
    if [[ -f deploy/secrets/redis_url ]]; then
        files=("${prod_files[@]}")
    else
        files=("${dev_files[@]}")
    fi
    files+=(--file docker-compose.monitoring.yml)
    local services=(prometheus alertmanager grafana redis-exporter node-exporter)
    case ${1:-} in
        up)
            if ! $dry; then
                [[ -f .env ]] || (umask 077 && cp .env.example .env)
                settle GRAFANA_ADMIN_PASSWORD "$(password)"
            fi
            compose up --detach --wait "${services[@]}"
            echo "Grafana: http://127.0.0.1:$(setting GRAFANA_PORT 3000), user admin, password: GRAFANA_ADMIN_PASSWORD in .env"
            ;;
        status) compose ps "${services[@]}" ;;
        logs) compose logs --follow --tail 100 "${services[@]}" ;;
        down) compose rm --stop --force "${services[@]}" ;;
        *) usage >&2; exit 64 ;;
    esac
}

# --- Kubernetes ------------------------------------------------------------------------------------------------------

k8s() {
    local overlay=${OVERLAY:-dev} namespace
    [[ -d k8s/overlays/$overlay ]] || die "there is no overlay $overlay in k8s/overlays"
    namespace=$(sed -n 's/^namespace: //p' "k8s/overlays/$overlay/kustomization.yaml")
    need kubectl
    case ${1:-} in
        render) run kubectl kustomize "k8s/overlays/$overlay" ;;
        secret) k8s_secret "$namespace" ;;
        up) k8s_up "$overlay" "$namespace" ;;
        status) run kubectl --namespace "$namespace" get deployment,statefulset,pod,hpa,pdb,ingress ;;
        logs) run kubectl --namespace "$namespace" logs --follow --tail 100 --max-log-requests 20 \
            --selector app.kubernetes.io/component=gateway ;;
        test) k8s_test "$namespace" ;;
        rollback)
            run kubectl --namespace "$namespace" rollout undo deployment/gateway
            run kubectl --namespace "$namespace" rollout status deployment/gateway --timeout 300s
            ;;
        dashboards) k8s_dashboards "${2:-monitoring}" ;;
        down) run kubectl delete --kustomize "k8s/overlays/$overlay" --ignore-not-found ;;
        *) usage >&2; exit 64 ;;
    esac
}

# The Secret that gateways and Redis share. Made once: a second time would change the passwords under them.
k8s_secret() {
    local namespace=$1 gateway metrics
    need openssl
    if $dry; then
        echo "# would create the Secret gateway-redis in $namespace, with passwords made for it"
        return
    fi
    kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
    if kubectl --namespace "$namespace" get secret gateway-redis >/dev/null 2>&1; then
        echo "the Secret gateway-redis exists in $namespace: left as it is"
        return
    fi
    gateway=$(password)
    metrics=$(password)
    # By files, so that no password stands in a process list.
    kubectl --namespace "$namespace" create secret generic gateway-redis \
        --from-file=url=<(printf 'redis://gateway:%s@%s:6379' "$gateway" "${REDIS_HOST:-redis}") \
        --from-file=users.acl=<(acl "$gateway" "$metrics") \
        --from-file=metrics-password=<(printf '%s' "$metrics")
}

# Server-side, so that what other owners set (the autoscaler's replicas) stays theirs.
k8s_up() {
    local overlay=$1 namespace=$2
    if [[ -z ${IMAGE:-} ]]; then
        run kubectl apply --server-side --force-conflicts --kustomize "k8s/overlays/$overlay"
    elif $dry; then
        echo "# would apply k8s/overlays/$overlay with the image $IMAGE"
    else
        kubectl kustomize "k8s/overlays/$overlay" |
            sed -E "s#^( *)image: ([^ ]*/)?api-gateway[:@][^ ]*\$#\1image: $IMAGE#" |
            kubectl apply --server-side --force-conflicts --filename -
    fi
    run kubectl --namespace "$namespace" rollout status deployment/gateway --timeout 300s
}

k8s_test() {
    local namespace=$1 forward
    if $dry; then
        echo "# would forward a local port to service/gateway in $namespace and run deploy/test-endpoints.sh on it"
        return
    fi
    kubectl --namespace "$namespace" port-forward service/gateway 15000:80 >/dev/null &
    forward=$!
    # shellcheck disable=SC2064 # the number as it is now
    trap "kill $forward" EXIT
    deploy/test-endpoints.sh --wait 15 http://127.0.0.1:15000
}

# For Grafana's sidecar, which picks up ConfigMaps with this label.
k8s_dashboards() {
    local namespace=$1
    if $dry; then
        echo "# would put deploy/grafana/dashboards into the ConfigMap gateway-dashboards in $namespace"
        return
    fi
    kubectl --namespace "$namespace" create configmap gateway-dashboards --from-file=deploy/grafana/dashboards \
        --dry-run=client --output yaml |
        kubectl label --local --filename - grafana_dashboard=1 --output yaml |
        kubectl apply --server-side --filename -
}

# --- The door --------------------------------------------------------------------------------------------------------

while [[ ${1:-} == --* ]]; do
    case $1 in
        --dry-run) dry=true ;;
        --help) usage; exit 0 ;;
        *) usage >&2; exit 64 ;;
    esac
    shift
done

where=${1:-}
shift || true
case $where in
    dev | prod | monitoring | k8s) "$where" "$@" ;;
    acl) acl "${GATEWAY_PASSWORD:?}" "${METRICS_PASSWORD:?}" ;;
    *) usage >&2; exit 64 ;;
esac
