#!/usr/bin/env bash
# install-packages.sh LIST...: installs the Debian packages of the lists "build", "test" and "bench" that are missing.
# Does nothing, and needs no network and no rights, when all are there.
set -euo pipefail

build=(
  libssl-dev libnghttp2-dev libprotobuf-c-dev libsqlite3-dev libpq-dev zlib1g-dev libcurl4-openssl-dev pkg-config # linked by the programs
  protobuf-compiler libprotobuf-dev protobuf-c-compiler                 # code generation
)
test=(
  python3 python3-venv                                                  # gRPC clients that we did not write
  nghttp2-client openssl curl                                           # h2load, nghttp, wrong certificates
  chromium                                                              # calls through the gateway from a page
  postgresql procps                                                     # a server of its own, in a temporary folder
  xz-utils                                                              # unpacks gRPC's own interop tests
)
bench=(
  python3 openssl nghttp2-client nghttp2-server                         # load, and the floor to compare with
  strace                                                                # counts syncs of the disk
  g++ libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc              # the peer in gRPC C++
  postgresql                                                            # pgbench, and the server beside it
  haproxy nginx                                                         # what else stands before services
)

wanted=()
for list in "$@"; do
  case "$list" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    *) echo "install-packages.sh: no list \"$list\"; there are: build, test, bench" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  [ "${MAINSTAY_SKIP_PACKAGES:-}" = 1 ] && exit 0
  echo "This is not a Debian system. Install what corresponds to these packages, then set MAINSTAY_SKIP_PACKAGES=1:" >&2
  printf '  %s\n' "${wanted[@]}" >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing packages, and neither root nor sudo to install them. As root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing system packages: ${missing[*]}"
"${as_root[@]}" apt-get update --quiet=2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
