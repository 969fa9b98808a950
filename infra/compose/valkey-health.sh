#!/usr/bin/env bash
# Whether the server answers a command: it is asked without a password, so "no" is an answer too.
exec 3<>/dev/tcp/127.0.0.1/6379 || exit 1
printf 'PING\r\n' >&3
read -r -t 2 answer <&3
[[ $answer == +PONG* || $answer == -NOAUTH* ]]
