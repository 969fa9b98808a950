#!/usr/bin/env bash
# The stack in containers, from images to procedures, as CI runs it: builds, starts from empty volumes,
# runs the browser specs and short drills, and leaves nothing. With CI=true it fails where containers cannot
# run, since an engine is expected there; elsewhere it prints one line and exits 0. CONTAINERS=off leaves it out.
# OFFLINE_IMAGES names a folder whose docker28.sh and offline-images.sh bring an engine and stand-in
# images where there is no registry; by default an `offline-images` in a folder beside this checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
offline=${OFFLINE_IMAGES:-$(printf '%s\n' "$root"/../*/offline-images | head -n 1)}
requests=${DRILL_REQUESTS:-1000}
export PATH=$root/node_modules/.bin:$PATH
work=$(mktemp -d)
summary=()

skip() {
  rm -rf "$work"
  if [[ ${CI:-} == true ]]; then
    printf 'containers: FAILED: %s; CONTAINERS=off leaves this stage out\n' "$1" >&2
    exit 1
  fi
  printf 'containers: SKIPPED: %s\n' "$1"
  exit 0
}
note() { summary+=("$1"); printf 'containers %4ds: %s\n' "$SECONDS" "$1"; }

engine() {
  docker info >/dev/null 2>&1 && return
  [[ -x $offline/docker28.sh ]] || return 1
  local lines running
  running=$(pgrep -x dockerd || :)
  lines=$("$offline/docker28.sh" up 2>"$work/engine.log") || return 1
  eval "$lines"
  [[ -n $running ]] || started_engine=yes
  docker info >/dev/null 2>&1
}

images() {
  local image
  for image in node:26-trixie-slim postgres:18 valkey/valkey:9.1 haproxy:3.2 nginx:1.30 debian:trixie-slim; do
    docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null 2>&1 || return 1
  done
}

stand_ins() {
  [[ -x $offline/offline-images.sh ]] || return 1
  # Its folder can be read-only; buildx requests permission to read outside of the context.
  OFFLINE_IMAGES_CACHE=${OFFLINE_IMAGES_CACHE:-$work/offline} BUILDX_BAKE_ENTITLEMENTS_FS=0 \
    "$offline/offline-images.sh" >"$work/images.log" 2>&1
}

# Starts a separate edge with TLS: a request with any Host is redirected to ORIGIN.
redirects_to_origin() {
  local edge location
  ../compose/certificate.sh "$work/tls"
  edge=$(docker run --detach --rm --env EDGE_TLS=true --env ORIGIN=https://shop.test \
    --volume "$root/infra/edge:/usr/local/etc/haproxy:ro" --publish 127.0.0.1::8080 \
    --volume "$work/tls/edge_certificate:/run/secrets/edge_certificate:ro" haproxy:3.2)
  location=$(curl --silent --retry 20 --retry-delay 1 --retry-all-errors --output /dev/null \
    --header 'Host: attacker.test' --write-out '%{redirect_url}' \
    "http://$(docker port "$edge" 8080/tcp)/pay?id=1" || :)
  docker rm --force "$edge" >/dev/null
  [[ $location == 'https://shop.test/pay?id=1' ]] || { echo "the edge redirects to $location" >&2; return 1; }
}

# A copy of the scripts elsewhere, with the name of this stack: they refuse to touch it.
refuses_other_checkout() {
  local said code
  mkdir "$work/other" && cp -r "$root"/infra/{compose,deploy,services} "$work/other"
  for script in "$work/other/compose/secrets.sh $work/other-secrets" "node $work/other/deploy/src/apply.ts"; do
    said=$($script 2>&1) && code=0 || code=$?
    [[ $code == 78 && $said == *'belongs to the checkout in'* && $(wc -l <<<"$said") == 1 ]] \
      || { echo "$script: exit code $code: $said" >&2; return 1; }
  done
}

# A secret file that changed in place has no effect on the instance that read it: its health check reports this.
reports_changed_secret() {
  local id said
  # No pipe into head: compose would fail with SIGPIPE when head ends before the last line.
  id=$(docker compose ps --quiet payments)
  id=${id%%$'\n'*}
  touch "$SECRETS_DIR/internal_secret"
  said=$(docker exec "$id" bash /app/health.sh) && { echo 'a changed secret is healthy' >&2; return 1; }
  [[ $said == 'internal_secret changed after this instance started'* ]] || { echo "$said" >&2; return 1; }
  touch --date '1 day ago' "$SECRETS_DIR/internal_secret"
  docker exec "$id" bash /app/health.sh
}

finish() {
  local code=$?
  set +e
  [[ -n ${describer:-} ]] && kill "$describer" 2>/dev/null
  if [[ -n ${up:-} ]]; then
    ((code == 0)) || docker compose logs --no-log-prefix --tail 15 >&2
    docker compose down --volumes --timeout 5 >/dev/null 2>&1
    docker images --format '{{.Repository}}:{{.Tag}}' | grep -E '^threefold/.*:(ci|drill-)' \
      | xargs -r docker image rm -f >/dev/null 2>&1
  fi
  [[ -n ${started_engine:-} ]] && "$offline/docker28.sh" down
  rm -rf "$work"
  printf '\ncontainers: %s in %d s\n' "$( ((code == 0)) && echo passed || echo FAILED)" "$SECONDS"
  printf '  %s\n' "${summary[@]}"
}

[[ ${CONTAINERS:-on} == off ]] && { rm -rf "$work"; echo 'containers: left out by CONTAINERS=off'; exit 0; }
engine || skip 'no Docker engine, and none can be started here'
images || stand_ins || skip 'the base images cannot be had: no registry, and no stand-ins'
trap finish EXIT
note "engine $(docker version --format '{{.Server.Version}}') and base images"

# Other names, ports and secrets than those of a stack that is used on this machine.
export COMPOSE_PROJECT_NAME=threefold-ci COMPOSE_ENV_FILES=$work/release.env SECRETS_DIR=$work/secrets
export TAG=ci DEMO=true EDGE_PORT=8380 PGBOUNCER_TAG=ci
# All load comes from one address here: counted, and let through.
export LIMITS_FILE=limits.load-test.json
# begin generated services
apps=(auth gateway web payments)
export AUTH_PORTS=7101-7110 GATEWAY_PORTS=7201-7210 WEB_PORTS=7301-7310 PAYMENTS_PORTS=7401-7410
# end generated services
touch "$COMPOSE_ENV_FILES"
infra/compose/secrets.sh "$SECRETS_DIR"
cd infra/compose

for overlay in compose.dev.yaml compose.blue-green.yaml compose.tls.yaml compose.nginx.yaml compose.observability.yaml; do
  docker compose -f compose.yaml -f "$overlay" config --quiet
done
note 'every overlay is valid'
env --unset DEMO docker compose -f compose.yaml config --format json >"$work/rendered.json"
(cd "$root" && NO_COLOR=1 COMPOSE_RENDERED=$work/rendered.json vitest run infra/deploy >"$work/rendered.log" 2>&1) \
  || { tail -40 "$work/rendered.log"; exit 1; }
note "the rendered configuration is as reviewed"
redirects_to_origin
note 'http is redirected to ORIGIN only'
./attack.sh
note 'HAProxy and nginx refuse or neutralise every attack'

docker build --quiet --tag threefold/pgbouncer:ci ../pgbouncer >/dev/null
for app in "${apps[@]}"; do
  docker build --quiet --build-arg "APP=$app" --build-arg VERSION=ci --tag "threefold/$app:ci" \
    --file ../docker/Dockerfile "$root" >/dev/null
  ../docker/content.sh "threefold/$app:ci" 300
done
note 'images built, with what they need and no more'

./bad-input.sh
note 'bad input is refused'

# Containers of a killed run have other secrets.
docker compose down --volumes --timeout 5 >/dev/null 2>&1
up=yes
began=$SECONDS
docker compose up --detach --wait --no-build >"$work/up.log" 2>&1 || { tail -5 "$work/up.log"; exit 1; }
note "up from empty volumes in $((SECONDS - began)) s"
refuses_other_checkout
note 'another checkout is refused'
reports_changed_secret
note 'a secret that changed in place is reported'

state=$work/cluster
node ../deploy/src/describe.ts "$state/cluster.json" --watch &
describer=$!
until [[ -s $state/cluster.json ]]; do sleep 0.1; done
E2E_EDGE=http://localhost:$EDGE_PORT E2E_STATE=$state node "$root/e2e/run.ts" -c compose.config.ts
kill "$describer"
note 'browser specs passed'

node ../deploy/src/drill.ts --requests "$requests" --apps gateway,payments \
  rolling bad-release killed redis-hangs postgres-restarts connections addresses apply
note 'drills passed'
