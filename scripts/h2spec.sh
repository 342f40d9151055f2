#!/usr/bin/env bash
# h2spec.sh: runs h2spec, an HTTP/2 conformance suite that is not ours, over TLS against mainstay-interop.
#   H2SPEC         the program; "h2spec" on the PATH unless it is set. Without one nothing is run.
#   MAINSTAY_BIN   the folder of mainstay-interop; .build/release unless it is set
# Exit code 0 if no case failed. A case that fails needs its reason in docs/decisions.
set -euo pipefail
cd "$(dirname "$0")/.."

h2spec=${H2SPEC:-$(command -v h2spec || true)}
if [ -z "$h2spec" ]; then
  echo "There is no h2spec here; set H2SPEC to the program." >&2
  exit 0
fi

folder=$(mktemp -d)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
chmod 600 "$folder/key.pem"
"${MAINSTAY_BIN:-.build/release}/mainstay-interop" server --cert "$folder/cert.pem" --key "$folder/key.pem" \
  >"$folder/output" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT

until grep -q '^listening on' "$folder/output"; do
  kill -0 "$server" # ends the script if the server has ended
  sleep 0.1
done
port=$(sed -n 's/^listening on .*://p' "$folder/output")
"$h2spec" --host 127.0.0.1 --port "$port" --tls --insecure --strict
