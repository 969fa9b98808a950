#!/usr/bin/env bash
# content.sh IMAGE MAX_MB: checks an image for files that it must not have, and its size. Exits 1 with the faults.
set -euo pipefail
image=$1 max=$2
found=$(docker run --rm --network none --user root --entrypoint bash "$image" -c '
  for tool in npm npx yarn corepack pnpm turbo git gcc; do command -v "$tool"; done
  find / -xdev \( -name "*.map" -o -name "*.test.ts" -o -name "*.fixture.ts" -o -name "*.d.ts" -o -name ".env*" \
    -o -name "pnpm-lock.yaml" -o -name "package-lock.json" \) -not -path "/proc/*" -print
  ls -d /app/packages/{embedded,testing} /app/e2e /app/infra /usr/local/include/node /usr/local/lib/node_modules \
    /app/node_modules/.pnpm/{typescript,vitest,turbo,@playwright,drizzle-kit}* 2>/dev/null
  find /app -path "*/next/dist/compiled/*" -type f \( -path "*/babel/*" -o -path "*/webpack/*" -o -path "*/terser/*" \
    -o -path "*/react-dom-experimental/*" -o -name "*.dev.js" \) -print
  :' | sed -n 1,20p)
if [[ -n $found ]]; then
  printf '%s holds what no instance needs:\n%s\n' "$image" "$found" >&2
  exit 1
fi
user=$(docker image inspect --format '{{.Config.User}}' "$image")
[[ $user == node ]] || { echo "$image runs as '$user', not as node" >&2; exit 1; }
size=$(($(docker image inspect --format '{{.Size}}' "$image") / 1000000))
((size <= max)) || { echo "$image has $size MB, more than $max" >&2; exit 1; }
echo "$image: $size MB"
