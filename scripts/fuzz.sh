#!/bin/sh
# Fuzzes with libFuzzer: scripts/fuzz.sh [SECONDS [TARGET]]. Targets: protobuf (the decoders), rpc (HTTP/2 entry, framing,
# metadata, timeouts, status: what a stranger sends to a server or answers to a client); both without one. New inputs that reach
# new code go to .build-fuzz/corpus-TARGET; what broke stays in .build-fuzz as TARGET-crash-*. The saved corpus is read too and
# run by the tests: put inputs worth keeping there.
set -eu
cd "$(dirname "$0")/.."
seconds="${1:-60}"
# Swift's own crash handler would keep libFuzzer from saving the input.
export SWIFT_BACKTRACE=enable=no

fuzz() { # target, program, saved corpus
  MAINSTAY_FUZZ=1 swift build --build-path .build-fuzz -c release --sanitize=fuzzer --product "$2"
  mkdir -p ".build-fuzz/corpus-$1"
  echo "target $1, $seconds seconds"
  ".build-fuzz/release/$2" -max_total_time="$seconds" -timeout=30 -artifact_prefix=".build-fuzz/$1-" ".build-fuzz/corpus-$1" "$3"
}

case "${2:-all}" in
  protobuf) fuzz protobuf FuzzProtobuf Tests/Protobuf/Corpus ;;
  rpc) fuzz rpc FuzzRPC Tests/RPCProperties/Corpus ;;
  all)
    fuzz protobuf FuzzProtobuf Tests/Protobuf/Corpus
    fuzz rpc FuzzRPC Tests/RPCProperties/Corpus
    ;;
  *) echo "fuzz.sh: no target \"$2\"; there are: protobuf, rpc" >&2; exit 2 ;;
esac
