#!/usr/bin/env bash
# Writes the allowed users from secret files, starts the watch on PostgreSQL's address, then becomes pgbouncer.
set -euo pipefail
umask 077
: "${DATABASE_USER:?the role that the apps use}" "${DATABASE_PASSWORD_FILE:?a file with its password}"
export DATABASE_HOST=${DATABASE_HOST:-postgres}
# The share of this pooler; together they open no more than POOL_SIZE.
export POOL_SIZE=$((${POOL_SIZE:-20} / ${POOLERS:-1}))
if ((POOL_SIZE < 1)); then
  echo 'POOL_SIZE: must be at least the number of poolers' >&2
  exit 78
fi
if [[ ! -s $DATABASE_PASSWORD_FILE ]]; then
  echo 'DATABASE_PASSWORD_FILE: names a file that cannot be read or is empty' >&2
  exit 78
fi
printf '"%s" "%s"\n' "$DATABASE_USER" "$(<"$DATABASE_PASSWORD_FILE")" >/tmp/users.txt
bash /etc/threefold/follow.sh
bash /etc/threefold/follow.sh "$$" &
exec pgbouncer /tmp/pgbouncer.ini
