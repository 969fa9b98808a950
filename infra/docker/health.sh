#!/usr/bin/env bash
# health.sh [path]: exits 0 when the app of this container answers 200, and no secret file has changed
# since it started: it would go on with the old one. Bash: 2 ms of CPU, where a probe by node costs 100.
set -u
exec 3<>"/dev/tcp/127.0.0.1/${PORT}" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "${1:-/readyz}" >&3
read -r _ status _ <&3
[[ $status == 200 ]] || { echo "${1:-/readyz}: ${status:-no answer}"; exit 1; }

[[ -e /tmp/started ]] || exit 0
for file in /run/secrets/*; do
  [[ -e $file ]] || continue
  # A file that was replaced and not edited has no name left, and is still the old one here.
  if [[ $file -nt /tmp/started || $(stat -c %h "$file") == 0 ]]; then
    echo "${file##*/} changed after this instance started: pnpm --filter @repo/deploy apply"
    exit 1
  fi
done
