#!/usr/bin/env bash
# Each fault of the settings is one line: the script makes each fault, `up` must fail, and the affected
# service must report the reason. It has separate project, ports and secrets; TAG selects the images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
good=$work/good
export COMPOSE_PROJECT_NAME=threefold-bad COMPOSE_ENV_FILES=$work/none REPLICAS=1 EDGE_PORT=8390
# begin generated services
apps=(auth gateway web payments)
export AUTH_PORTS=7511-7520 GATEWAY_PORTS=7521-7530 WEB_PORTS=7531-7540 PAYMENTS_PORTS=7541-7550
# end generated services
touch "$COMPOSE_ENV_FILES"
export SECRETS_DIR=$good
./secrets.sh "$good"
trap 'docker compose down --volumes --timeout 1 >/dev/null 2>&1 || :; rm -rf "$work"' EXIT

# refused CASE SERVICE LINE [SERVICE…]: `up` of the services fails, and the log of SERVICE has LINE;
# without a service, the output of Docker has it.
refused() {
  local name=$1 service=$2 line=$3 said began=$SECONDS
  shift 3
  if docker compose up --detach --wait --no-build "$@" >"$work/up.log" 2>&1; then
    echo "BROKEN  $name: up succeeded" >&2
    exit 1
  fi
  if [[ -z $service ]]; then said=$(<"$work/up.log"); else said=$(docker compose logs --no-log-prefix "$service" 2>&1); fi
  if ! said=$(grep -m1 -F -- "$line" <<<"$said"); then
    echo "BROKEN  $name: no log has '$line'" >&2
    tail -3 "$work/up.log" >&2
    exit 1
  fi
  printf 'kept    %s, in %d s: %s\n' "$name" "$((SECONDS - began))" "${service:-docker}: ${said#"${said%%[![:space:]]*}"}"
  docker compose rm --force --stop "${apps[@]}" migrate edge >/dev/null 2>&1
}

# bad SECRET TEXT: a copy of the good secrets in which SECRET has this text, or is missing without a text.
bad() {
  rm -rf "$work/bad"
  cp -r "$good" "$work/bad"
  if [[ -n ${2:-} ]]; then printf '%s\n' "$2" >"$work/bad/$1"; else rm "$work/bad/$1"; fi
  export SECRETS_DIR=$work/bad
}

docker compose up --detach --wait --no-build postgres pgbouncer valkey-state >/dev/null 2>&1

bad auth_secret change-me-change-me-change-me-change-me
refused 'a placeholder secret' auth 'AUTH_SECRET: is a placeholder' auth
bad auth_secret
refused 'a missing secret' '' 'auth_secret' auth
bad migrate_database_url "$(sed 's|/threefold$|/nowhere|' "$good/migrate_database_url")"
refused 'a database that is not there' migrate 'database "nowhere" does not exist' auth
export SECRETS_DIR=$good

# As if the database had been put back to how it was a release ago.
docker compose run --rm migrate >/dev/null 2>&1
docker compose exec -T postgres psql -q -U threefold -c 'delete from drizzle.__drizzle_migrations'
refused 'an old schema' auth 'migration(s)' --no-deps auth

REPLICAS=0 refused 'REPLICAS=0' migrate 'REPLICAS: must be 1 to 9' migrate auth
DEMO=true EDGE_ADDRESS=0.0.0.0 refused 'demo accounts on every network' migrate \
  'EDGE_ADDRESS must be 127.0.0.1' migrate auth

node -e 'require("net").createServer().listen(8391, "127.0.0.1", () => console.log("busy"))' >"$work/busy" &
squatter=$!
until [[ -s $work/busy ]]; do sleep 0.1; done
EDGE_PORT=8391 refused 'a port in use' '' '8391' edge
kill "$squatter"
