#!/usr/bin/env bash
# Makes what docker-compose.yml needs besides images: certificates with the names that containers have for each other, the keys of the
# audit logs, the database's password, and the folders. What is there already stays. MAINSTAY_HOME: where (.mainstay/compose);
# MAINSTAY_BIN: the folder of `mainstay` (.build/release).
set -euo pipefail
cd "$(dirname "$0")/.."

export MAINSTAY_HOME="${MAINSTAY_HOME:-$PWD/.mainstay/compose}"
mainstay="${MAINSTAY_BIN:-.build/release}/mainstay"
if [ ! -x "$mainstay" ]; then
  echo "There is no $mainstay: run \`make release\` first, or set MAINSTAY_BIN." >&2
  exit 1
fi

umask 077
mkdir -p "$MAINSTAY_HOME"/{data,audit,secrets,postgres}

certificate() { # name, host…
  local name=$1 hosts=()
  shift
  for host in "$@"; do hosts+=(--host "$host"); done
  [ -e "$MAINSTAY_HOME/pki/$name.pem" ] || "$mainstay" certs create --name "$name" --role service "${hosts[@]}"
}

for name in customer agent partner reporting; do certificate "$name" "$name-1" "$name-2"; done
certificate db db
certificate gateway gateway localhost 127.0.0.1
# What remains: the administrator's certificate and the keys of the audit logs.
"$mainstay" certs init

if [ ! -e "$MAINSTAY_HOME/secrets/database" ]; then
  openssl rand -hex 32 >"$MAINSTAY_HOME/secrets/database"
fi
echo "Ready: MAINSTAY_USER=$(id -u) docker compose up --build --detach --wait"
