#!/usr/bin/env bash
# Prints a native redis-server for the tests that need replicas, sentinels or cluster mode: the one on
# the PATH, or the one of Debian, unpacked into the given folder and not installed. Prints nothing where neither
# is available: those tests are then skipped.
set -euo pipefail
for name in valkey-server redis-server; do
  command -v "$name" && exit
done
command -v apt-get dpkg >/dev/null || exit 0
mkdir -p "$1"
cd "$1"
if [[ ! -x redis-server ]]; then
  packages=(redis-tools redis-server libjemalloc2 liblzf1 libatomic1 liblua5.1-0 lua-bitop lua-cjson)
  { apt-get download "${packages[@]}" || { apt-get update -qq && apt-get download "${packages[@]}"; }; } \
    >/dev/null 2>&1 || exit 0
  for package in *.deb; do dpkg -x "$package" .; done
  rm -- *.deb
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/bin/redis-server "$@"\n' \
    "$(dirname "$PWD"/usr/lib/*/libjemalloc.so.2)" "$PWD" >redis-server
  chmod +x redis-server
fi
./redis-server --version >/dev/null 2>&1 && echo "$PWD/redis-server"
