#!/usr/bin/env bash
# Runs once, on an empty volume: creates the role of the apps, which reads and writes rows. Only the owner
# changes tables, and only the migrate job has the owner's password.
set -euo pipefail
psql --quiet -v ON_ERROR_STOP=1 -v password="$(</run/secrets/app_password)" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role app login password :'password';
-- Behind a pooler in transaction mode a session cannot set these for itself.
alter role app set statement_timeout = '5s';
alter role app set lock_timeout = '2s';
alter role app set idle_in_transaction_session_timeout = '10s';

create schema drizzle;
grant usage on schema public, drizzle to app;
alter default privileges in schema public grant select, insert, update, delete on tables to app;
alter default privileges in schema public grant usage, select on sequences to app;
alter default privileges in schema drizzle grant select on tables to app;
SQL
