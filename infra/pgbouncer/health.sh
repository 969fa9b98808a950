#!/usr/bin/env bash
# Whether something that speaks PostgreSQL's protocol listens: an SSLRequest is answered N or S.
exec 3<>/dev/tcp/127.0.0.1/6432 || exit 1
printf '\0\0\0\10\4\322\26\57' >&3
read -r -t 2 -N 1 answer <&3
[[ $answer == [NS] ]]
