#!/usr/bin/env bash
# The stack in containers, from images to procedures, as CI runs it: builds, starts from empty volumes,
# runs the browser specs and a short drill, and leaves nothing. Where containers cannot run it says so in
# one line and exits 0.
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

skip() { printf 'containers: SKIPPED: %s\n' "$1"; exit 0; }
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
  # Its folder may be read-only; buildx asks before it reads outside of the context.
  OFFLINE_IMAGES_CACHE=${OFFLINE_IMAGES_CACHE:-$work/offline} BUILDX_BAKE_ENTITLEMENTS_FS=0 \
    "$offline/offline-images.sh" >"$work/images.log" 2>&1
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

engine || skip 'no Docker engine, and none can be started here'
images || stand_ins || skip 'the base images cannot be had: no registry, and no stand-ins'
trap finish EXIT
note "engine $(docker version --format '{{.Server.Version}}') and base images"

# Beside a stack that somebody uses on this machine: other names, ports, secrets.
export COMPOSE_PROJECT_NAME=threefold-ci COMPOSE_ENV_FILES=$work/release.env SECRETS_DIR=$work/secrets
export TAG=ci DEMO=true EDGE_PORT=8380 PGBOUNCER_TAG=ci
# All load comes from one address here: counted, and let through.
export LIMITS_FILE=limits.load-test.json
export AUTH_PORTS=7101-7110 GATEWAY_PORTS=7201-7210 WEB_PORTS=7301-7310 PAYMENTS_PORTS=7401-7410
touch "$COMPOSE_ENV_FILES"
infra/compose/secrets.sh "$SECRETS_DIR"
cd infra/compose

for overlay in compose.dev.yaml compose.blue-green.yaml compose.tls.yaml compose.nginx.yaml; do
  docker compose -f compose.yaml -f "$overlay" config --quiet
done
note 'every overlay is valid'

docker build --quiet --tag threefold/pgbouncer:ci ../pgbouncer >/dev/null
for app in auth gateway payments web; do
  docker build --quiet --build-arg "APP=$app" --build-arg VERSION=ci --tag "threefold/$app:ci" \
    --file ../docker/Dockerfile "$root" >/dev/null
done
note 'images built'

./bad-input.sh
note 'bad input is refused'

# What a killed run left has other secrets.
docker compose down --volumes --timeout 5 >/dev/null 2>&1
up=yes
began=$SECONDS
docker compose up --detach --wait --no-build >"$work/up.log" 2>&1 || { tail -5 "$work/up.log"; exit 1; }
note "up from empty volumes in $((SECONDS - began)) s"

state=$work/cluster
node ../deploy/src/describe.ts "$state/cluster.json" --watch &
describer=$!
until [[ -s $state/cluster.json ]]; do sleep 0.1; done
E2E_EDGE=http://localhost:$EDGE_PORT E2E_STATE=$state node "$root/e2e/run.ts" -c compose.config.ts
kill "$describer"
note 'browser specs passed'

node ../deploy/src/drill.ts --requests "$requests" --apps gateway,payments \
  rolling bad-release redis-hangs connections
note 'drill passed'
