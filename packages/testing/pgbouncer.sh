#!/usr/bin/env bash
# Prints a PgBouncer for the tests that need one: the one on the PATH, or that of Debian, unpacked into
# the given folder and not installed. Prints nothing where neither is available: those tests are skipped.
set -euo pipefail
command -v pgbouncer && exit
command -v apt-get dpkg >/dev/null || exit 0
mkdir -p "$1"
cd "$1"
if [[ ! -x pgbouncer ]]; then
  packages=(pgbouncer libc-ares2 libevent-2.1-7)
  { apt-get download "${packages[@]}" || { apt-get update -qq && apt-get download "${packages[@]}"; }; } \
    >/dev/null 2>&1 || exit 0
  for package in *.deb; do dpkg -x "$package" .; done
  rm -- *.deb
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/sbin/pgbouncer "$@"\n' \
    "$(dirname "$PWD"/usr/lib/*/libcares.so.2)" "$PWD" >pgbouncer
  chmod +x pgbouncer
fi
./pgbouncer --version >/dev/null 2>&1 && echo "$PWD/pgbouncer"
