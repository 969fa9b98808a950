#!/usr/bin/env bash
# Creates the secrets of this checkout's stack and names its project. Existing secrets are not changed.
# usage: secrets.sh [directory]        (default: .secrets beside this file)
#        secrets.sh next NAME [VALUE]  a new version of one secret: a new file, and NAME_VERSION in .env
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
settings=${COMPOSE_ENV_FILES:-$here/.env}
[[ $settings == /* ]] || settings=$here/$settings
dir=${SECRETS_DIR:-$here/.secrets}

random() { head -c 32 /dev/urandom | base64; }
word() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
setting() { [[ ! -e $settings ]] || sed -n "s/^$1=//p" "$settings" | tail -n 1; }

# write NAME VALUE: replaces the line of a setting, or adds it.
write() {
  local others
  others=$(grep -sv "^$1=" "$settings" || :)
  printf '%s%s=%s\n' "${others:+$others$'\n'}" "$1" "$2" >"$settings.new"
  mv "$settings.new" "$settings"
}

# The project is named after the checkout, so that two of them never share containers and volumes. A
# checkout whose stack runs under the old name, threefold, keeps it.
name_project() {
  local name owner
  name=${COMPOSE_PROJECT_NAME:-$(setting COMPOSE_PROJECT_NAME)}
  if [[ -z $name ]]; then
    if [[ -e $here/.secrets/auth_secret ]]; then name=threefold
    else name=threefold-$(printf '%s' "$here" | cksum | cut -d ' ' -f 1); fi
  fi
  owner=$(docker ps --all --filter "label=com.docker.compose.project=$name" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}' 2>/dev/null \
    | grep -vxF -m 1 -- "$here" || :)
  if [[ -n $owner ]]; then
    echo "COMPOSE_PROJECT_NAME: the stack $name belongs to the checkout in $owner; choose another name in $settings" >&2
    exit 78
  fi
  [[ -n ${COMPOSE_PROJECT_NAME:-} || -n $(setting COMPOSE_PROJECT_NAME) ]] || write COMPOSE_PROJECT_NAME "$name"
}

# Files are readable so that the containers' users can read them; the directory keeps other people out.
create() { [[ -e $dir/$1 ]] || (umask 022 && printf '%s\n' "$2" >"$dir/$1"); }

next() {
  local name=$1 upper=${1^^}_VERSION version value
  [[ -e $dir/$name ]] || { echo "no secret $name in $dir" >&2; exit 2; }
  version=$(($(setting "$upper") + 0))
  version=$(((version > 0 ? version : 1) + 1))
  case $name in *_password) value=${2-$(word)} ;; *) value=${2-$(random)} ;; esac
  [[ ! -e $dir/$name.$version ]] || { echo "$dir/$name.$version exists: remove it first" >&2; exit 2; }
  (umask 022 && printf '%s\n' "$value" >"$dir/$name.$version")
  write "$upper" "$version"
  echo "$name: version $version; pnpm --filter @repo/deploy apply"
}

if [[ ${1:-} == next ]]; then
  next "${@:2}"
  exit
fi
dir=${1:-$dir}
name_project
install -d -m 700 "$dir"
create auth_secret "$(random)"
create auth_secrets_accepted ''
create internal_secret "$(random)"
create internal_secrets_accepted ''
create server_actions_key "$(random)"
create trace_secret "$(random)"
create postgres_password "$(word)"
create app_password "$(word)"
create valkey_password "$(word)"
create database_url "postgres://app:$(<"$dir/app_password")@pgbouncer:6432/threefold"
create migrate_database_url "postgres://threefold:$(<"$dir/postgres_password")@postgres:5432/threefold"
create redis_url "redis://:$(<"$dir/valkey_password")@valkey-state:6379"
