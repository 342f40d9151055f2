#!/bin/sh
# Generates Sources/API from the protos, and the fixtures of the tests.
#   scripts/generate.sh                 generates
#   scripts/generate.sh --check         generates beside and compares; exit code 1 on a difference
#   scripts/generate.sh --breaking REF  lists what a client of the protos at that git reference could not do any more
# Needs protoc and protoc-c. PROTOGEN names the generator's binary; without it, it is built.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "generate: $1" >&2
  exit "${2:-2}"
}
for tool in protoc protoc-c; do
  command -v "$tool" >/dev/null || fail "$tool is not installed (Debian: protobuf-compiler, protobuf-c-compiler, libprotobuf-dev)"
done
# Where google/protobuf/descriptor.proto is.
include=${PROTOBUF_INCLUDE:-/usr/include}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -z "${PROTOGEN:-}" ]; then
  swift build --product mainstay-protogen >&2
  PROTOGEN=$(swift build --show-bin-path)/mainstay-protogen
fi

# descriptors FOLDER FILE: the descriptor set of all protos in a folder.
descriptors() {
  find "$1" -name '*.proto' | LC_ALL=C sort | sed "s|^$1/||" >"$work/files"
  # shellcheck disable=SC2046
  protoc "-I$1" "-I$include" --include_imports --include_source_info "--descriptor_set_out=$2" $(cat "$work/files")
}

# generate FOLDER C-MODULE SWIFT-MODULE OUTPUT: both targets of the protos in a folder.
generate() {
  descriptors "$1" "$work/all.binpb"
  mkdir -p "$4/$2/include"
  "$PROTOGEN" generate "$work/all.binpb" "$4" "$2" "$3" >"$work/names"
  # shellcheck disable=SC2046
  protoc-c "--descriptor_set_in=$4/stripped.binpb" "--c_out=$4/$2/include" $(cat "$work/names")
  rm "$4/stripped.binpb"
  # Headers stay in include; what includes them by their path from there goes beside it.
  (cd "$4/$2/include" && find . -name '*.c') | while read -r file; do
    mkdir -p "$4/$2/$(dirname "$file")"
    mv "$4/$2/include/$file" "$4/$2/$file"
  done
}

# place OUTPUT TARGET FOLDER: puts a generated target in its place, or compares it.
place() {
  if [ "$mode" = --check ]; then
    diff -r "$1/$2" "$3" >"$work/difference" 2>&1 || {
      head -20 "$work/difference" >&2
      fail "$3 is not what the protos give; run make generate" 1
    }
  else
    rm -rf "$3"
    mkdir -p "$(dirname "$3")"
    cp -R "$1/$2" "$3"
  fi
}

mode=${1:-}
case $mode in
"" | --check)
  generate proto CAPI API "$work/api"
  place "$work/api" CAPI Sources/API/CAPI
  place "$work/api" API Sources/API/API
  fixtures=Tests/ProtobufFixtures
  generate $fixtures/proto CProtobufFixtures ProtobufFixtures "$work/fixtures"
  place "$work/fixtures" CProtobufFixtures $fixtures/CProtobufFixtures
  place "$work/fixtures" ProtobufFixtures $fixtures/ProtobufFixtures
  ;;
--breaking)
  [ $# -eq 2 ] || fail "--breaking needs a git reference"
  git archive "$2" proto | tar -x -C "$work" || fail "$2 has no protos"
  descriptors "$work/proto" "$work/old.binpb"
  descriptors proto "$work/now.binpb"
  "$PROTOGEN" breaking "$work/old.binpb" "$work/now.binpb" || fail "the protos break clients of $2" 1
  ;;
*) fail "unknown option $mode" ;;
esac
