#!/usr/bin/env bash
# Sends every attack of packages/testing/src/attack to HAProxy and to nginx with the configuration of
# infra/edge, in front of a recorder that has the names and ports of all services.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
network=threefold-attack-$$
trap 'docker rm --force "$network-edge" >/dev/null 2>&1 || :; docker network rm "$network" >/dev/null' EXIT
docker network create "$network" >/dev/null

# attack KIND IMAGE VOLUME: exit code 1 if one attack succeeded. nginx ends when the names of the
# services do not resolve, so the recorder starts first.
attack() {
  local recorder
  recorder=$(docker run --detach --network "$network" --network-alias auth --network-alias gateway \
    --network-alias web --network-alias payments \
    --volume "$PWD/packages/testing/src/attack:/attack:ro" node:26-trixie-slim \
    node /attack/main.ts --kind "$1" --ports 3001,3002,3003,3004)
  docker run --detach --rm --name "$network-edge" --network "$network" --network-alias edge --volume "$3" "$2" >/dev/null
  [[ $(docker wait "$recorder") == 0 ]] || broken=yes
  docker logs "$recorder" 2>&1
  docker rm --force "$recorder" "$network-edge" >/dev/null
}

broken=no
attack haproxy haproxy:3.2 "$PWD/infra/edge:/usr/local/etc/haproxy:ro"
attack nginx nginx:1.30 "$PWD/infra/edge/nginx.conf:/etc/nginx/nginx.conf:ro"
[[ $broken == no ]]
