#!/usr/bin/env bash
# Prints the folder of Prometheus's programs: tools.sh FOLDER [PACKAGE ...]. They are those of Debian, unpacked
# into the folder and not installed. The default package is `prometheus`, which has promtool too. Prints nothing
# where they are unavailable: the tests that need them are then skipped. With CI=true that is an error where
# apt-get exists. PROMETHEUS=off leaves these tests out.
set -euo pipefail
folder=$1
shift
packages=("${@:-prometheus}")
unavailable() {
  [[ ${CI:-} == true ]] || exit 0
  echo "the packages ${packages[*]} of Debian are unavailable, and CI needs them; PROMETHEUS=off leaves these tests out" >&2
  exit 1
}
[[ ${PROMETHEUS:-on} == off ]] && exit 0
{ command -v apt-get && command -v dpkg; } >/dev/null || { unset CI; unavailable; }
mkdir -p "$folder"
cd "$folder"
missing=()
for package in "${packages[@]}"; do [[ -x usr/bin/$package ]] || missing+=("$package"); done
if ((${#missing[@]})); then
  # Several processes may unpack at once: each has a folder of its own.
  work=$(mktemp -d "$PWD/unpack.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (
    cd "$work" &&
      { apt-get download "${missing[@]}" || { apt-get update -qq && apt-get download "${missing[@]}"; }; } &&
      for package in *.deb; do dpkg -x "$package" . || exit; done
  ) >/dev/null 2>&1 || unavailable
  mkdir -p usr/bin
  # The program with the name of its package is the last one: where it is, all programs of the package are.
  for package in "${missing[@]}"; do mv "$work/usr/bin/$package" "$work"; done
  mv -f "$work"/usr/bin/* usr/bin/ 2>/dev/null || true
  for package in "${missing[@]}"; do mv -f "$work/$package" usr/bin/; done
fi
echo "$PWD/usr/bin"
