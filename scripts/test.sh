#!/usr/bin/env bash
# Builds the tests, runs them all and ends with the line "N passed, N failed". Called by `make test`, which builds the
# programs first. Exit code 0 only if everything was built and every test passed.
#   MAINSTAY_BIN    the folder of the programs that the integration tests start; set here for the tests
#   .build/test.log       all output
#   .build/test-summary   the last line
set -uo pipefail
cd "$(dirname "$0")/.."

log=.build/test.log
summary=.build/test-summary
mkdir -p .build
rm -f "$summary"
export MAINSTAY_BIN="$PWD/.build/release"

finish() { # passed, failed
  echo "$1 passed, $2 failed" | tee "$summary"
  [ "$2" -eq 0 ]
  exit
}

if ! swift build --build-tests </dev/null 2>&1 | tee "$log"; then
  echo "The tests could not be built; see $log." >&2
  finish 0 1
fi

swift test --skip-build --parallel </dev/null 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# The services once more on the other database.
MAINSTAY_TEST_DATABASE=postgresql swift test --skip-build --parallel \
  --filter '(Customer|Agent|Partner|Reporting)ServiceTests|ProductCopiesTests' </dev/null 2>&1 | tee -a "$log"
also=${PIPESTATUS[0]}
[ "$status" -ne 0 ] || status=$also
# shellcheck disable=SC2046  # two numbers
finish $(scripts/count-tests.sh "$status" <"$log")
