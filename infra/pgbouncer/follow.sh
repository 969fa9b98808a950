#!/usr/bin/env bash
# follow.sh: writes the configuration with the present address of DATABASE_HOST.
# follow.sh PID: does so whenever the address changes, and reloads that pgbouncer.
# PgBouncer resolves names through c-ares, which caches a record for its TTL (Docker's is 10 minutes)
# and ignores dns_max_ttl. The resolver of the C library does not.
set -euo pipefail
umask 077
config=/tmp/pgbouncer.ini
address=$(sed -n 's/^\* = host=\([^ ]*\) .*/\1/p' "$config" 2>/dev/null || :)

# Succeeds when the address is another one. A name that does not resolve now keeps its last address.
has_moved() {
  local found
  found=$(getent ahosts "$DATABASE_HOST" | awk '{ print $1 }') || found=${address:-$DATABASE_HOST}
  # With several addresses, the present one stays.
  [[ -n $address && $'\n'$found$'\n' == *$'\n'"$address"$'\n'* ]] && return 1
  address=${found%%$'\n'*}
}

write() {
  sed "s|@HOST@|$address|; s|@POOL_SIZE@|$POOL_SIZE|" /etc/threefold/pgbouncer.ini >"$config.new"
  mv "$config.new" "$config"
}

if [[ $# == 0 ]]; then
  # After a restart of the container an old address may be in the file.
  address=
  has_moved && write
  exit
fi
while kill -0 "$1" 2>/dev/null; do
  sleep 0.5
  has_moved || continue
  write
  echo "PostgreSQL at $DATABASE_HOST has the address $address: reload" >&2
  kill -HUP "$1"
done
