#!/usr/bin/env bash
# Writes who may come in from secret files, then becomes pgbouncer.
set -euo pipefail
umask 077
: "${DATABASE_USER:?the role that the apps use}" "${DATABASE_PASSWORD_FILE:?a file with its password}"
if [[ ! -s $DATABASE_PASSWORD_FILE ]]; then
  echo 'DATABASE_PASSWORD_FILE: names a file that cannot be read or is empty' >&2
  exit 78
fi
printf '"%s" "%s"\n' "$DATABASE_USER" "$(<"$DATABASE_PASSWORD_FILE")" >/tmp/users.txt
sed "s|@HOST@|${DATABASE_HOST:-postgres}|; s|@POOL_SIZE@|${POOL_SIZE:-20}|" \
  /etc/threefold/pgbouncer.ini >/tmp/pgbouncer.ini
exec pgbouncer /tmp/pgbouncer.ini
