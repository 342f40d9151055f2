#!/bin/sh
# Fuzzes the decoders with libFuzzer: scripts/fuzz.sh [SECONDS]. New inputs that reach new code go to .build-fuzz/corpus;
# what broke stays there as crash-*. Tests/Protobuf/Corpus is read too and run by the tests: put inputs worth keeping there.
set -eu
cd "$(dirname "$0")/.."
MAINSTAY_FUZZ=1 swift build --build-path .build-fuzz -c release --sanitize=fuzzer --product FuzzProtobuf
mkdir -p .build-fuzz/corpus
# Swift's own crash handler would keep libFuzzer from saving the input.
export SWIFT_BACKTRACE=enable=no
exec .build-fuzz/release/FuzzProtobuf -max_total_time="${1:-60}" -artifact_prefix=.build-fuzz/ \
  .build-fuzz/corpus Tests/Protobuf/Corpus
