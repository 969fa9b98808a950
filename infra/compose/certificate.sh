#!/usr/bin/env bash
# Creates a self-signed certificate for compose.tls.yaml, about which browsers warn. Existing files stay.
# usage: certificate.sh [directory]        (default: .secrets beside this file)
set -euo pipefail
dir=${1:-$(dirname "${BASH_SOURCE[0]}")/.secrets}
[[ -s $dir/edge_certificate ]] && exit
install -d -m 700 "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
  -keyout "$work/key" -out "$work/certificate" 2>/dev/null
(umask 022 && cat "$work/certificate" "$work/key" >"$dir/edge_certificate")
