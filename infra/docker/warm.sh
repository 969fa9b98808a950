#!/usr/bin/env bash
# Fills NODE_COMPILE_CACHE while the image is built, so that an instance boots with half the CPU.
set -euo pipefail
export REDIS_URL=redis://127.0.0.1:1 ORIGIN=http://localhost API_URL=http://127.0.0.1:1 LOG_LEVEL=silent
export NEXT_SERVER_ACTIONS_ENCRYPTION_KEY
NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=$(head -c 32 /dev/urandom | base64)

# Everything that main.ts imports is compiled before it prints its settings.
node src/main.ts --settings >/dev/null

# Next loads itself while it starts, so web is started for real. It has no store to miss.
[[ -d .next ]] || exit 0
INSTANCE_ID=warm DRAIN_MS=0 node src/main.ts &
app=$!
until bash /app/health.sh; do kill -0 "$app"; sleep 0.2; done
bash /app/health.sh /sign-in
kill -TERM "$app"
wait "$app"
