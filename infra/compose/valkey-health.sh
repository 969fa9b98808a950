#!/usr/bin/env bash
# Whether the server takes a write, as a client that signs in: one that loads its data, or that cannot
# write its log, answers and does not do the work.
set -uo pipefail
password=$(</run/secrets/valkey_password) || exit 1
exec 3<>/dev/tcp/127.0.0.1/6379 || exit 1
printf 'AUTH %s\r\nSET health:%s 1 PX 1000\r\n' "$password" "$HOSTNAME" >&3
for _ in auth set; do
  read -r -t 2 answer <&3
  [[ $answer == +OK* ]] || { echo "${answer:-no answer}"; exit 1; }
done
