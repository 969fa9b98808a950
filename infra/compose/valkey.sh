#!/bin/sh
# The configuration and the password together through stdin, so that no process list shows the latter.
password=$(cat /run/secrets/valkey_password) || exit 78
exec valkey-server - <<CONF
$(cat /etc/valkey.conf)
dir /data
protected-mode no
requirepass $password
CONF
