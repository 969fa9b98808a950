#!/usr/bin/env bash
# Makes the secrets of this machine's stack, once: what is there already is kept.
# usage: secrets.sh [directory]        (default: .secrets beside this file)
set -euo pipefail
dir=${1:-$(dirname "${BASH_SOURCE[0]}")/.secrets}
install -d -m 700 "$dir"

# Files are readable so that the containers' users may read them; the directory keeps people out.
keep() { [[ -s $dir/$1 ]] || (umask 022 && printf '%s\n' "$2" >"$dir/$1"); }
random() { head -c 32 /dev/urandom | base64; }
word() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

keep auth_secret "$(random)"
keep internal_secret "$(random)"
keep server_actions_key "$(random)"
keep postgres_password "$(word)"
keep app_password "$(word)"
keep valkey_password "$(word)"
keep database_url "postgres://app:$(<"$dir/app_password")@pgbouncer:6432/threefold"
keep migrate_database_url "postgres://threefold:$(<"$dir/postgres_password")@postgres:5432/threefold"
keep redis_url "redis://:$(<"$dir/valkey_password")@valkey-state:6379"
