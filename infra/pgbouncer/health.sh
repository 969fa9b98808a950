#!/usr/bin/env bash
# Whether a query gets through to PostgreSQL, as the role and with the password that the apps use.
# psql itself: Debian's wrapper would start Perl first.
PGPASSWORD=$(<"$DATABASE_PASSWORD_FILE") PGCONNECT_TIMEOUT=2 \
  exec /usr/lib/postgresql/*/bin/psql --no-psqlrc --no-password -qAt -h 127.0.0.1 -p 6432 -U "$DATABASE_USER" \
  -d "${DATABASE_NAME:-threefold}" -c 'select 1' >/dev/null
