#!/usr/bin/env bash
# health.sh [path]: exits 0 when this container's app answers 200. Bash alone: 2 ms of CPU, where a
# probe by node costs 100.
exec 3<>"/dev/tcp/127.0.0.1/${PORT}" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "${1:-/readyz}" >&3
read -r _ status _ <&3
[[ $status == 200 ]]
