#!/usr/bin/env bash
# fetch-interop.sh: fetches gRPC's own interop tests, as Debian's source package "grpc" has them, into .build/interop:
#   tests/interop/        the Python client and server, as they were written
#   src/proto/grpc/...    the messages, generated from the package's protos by PyPI grpcio-tools
#   credentials/          the test certificates that come with them
# Does nothing, and needs no network, when they are there. Needs no rights: apt works in a folder of its own, with deb-src
# entries made from the system's deb entries. PYTHON names an interpreter with grpcio-tools (.venv/bin/python).
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-.venv/bin/python}
target=.build/interop
[ -f "$target/complete" ] && exit 0

fail() {
  echo "fetch-interop.sh: $1" >&2
  exit 1
}
command -v apt-get >/dev/null || fail "only Debian's apt-get is known as a source of gRPC's interop tests"
"$PYTHON" -c 'import grpc_tools' 2>/dev/null || fail "$PYTHON has no grpcio-tools; run make .venv/bin/python"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,lists/partial,cache/archives/partial,package}
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ -f "$file" ] || continue
  name=$(basename "$file")
  case "$name" in
    *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$work/parts/$name" ;;
    *) sed -E -n 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$file" >"$work/parts/$name" ;;
  esac
done
own=(
  -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)" -o "Acquire::Retries=3"
)
echo "Fetching gRPC's interop tests: Debian's source package grpc"
# A foreign repository without sources is no reason to stop: what counts is whether grpc is found.
apt-get "${own[@]}" update --quiet=2 2>"$work/update.log" || true
(cd "$work/package" && apt-get "${own[@]}" source --download-only --quiet=2 grpc 2>"$work/source.log") ||
  { cat "$work/update.log" "$work/source.log" >&2; fail "apt-get finds no source package grpc"; }
archive=$(find "$work/package" -name 'grpc_*.orig.tar.*' ! -name '*.asc' | head -1)
[ -n "$archive" ] || fail "the source package holds no grpc_*.orig.tar"

tar --extract --file "$archive" --directory "$work/package" --strip-components=1 --wildcards \
  '*/src/python/grpcio_tests/tests/interop' \
  '*/src/proto/grpc/testing/empty.proto' '*/src/proto/grpc/testing/messages.proto' '*/src/proto/grpc/testing/test.proto' \
  '*/src/core/tsi/test_creds/ca.pem' '*/src/core/tsi/test_creds/server1.pem' '*/src/core/tsi/test_creds/server1.key' \
  '*/LICENSE'
rm -rf "$target"
mkdir -p "$target/credentials"
mv "$work/package/src/python/grpcio_tests/tests" "$target/tests"
mv "$work/package/src/core/tsi/test_creds/"* "$target/credentials/"
mv "$work/package/LICENSE" "$target/"
"$PYTHON" -m grpc_tools.protoc "-I$work/package" "--python_out=$target" "--grpc_python_out=$target" \
  "$work"/package/src/proto/grpc/testing/*.proto
touch "$target/complete"
