#!/usr/bin/env bash
# Runs the RPC suites under a sanitizer: scripts/sanitize.sh [address|thread]...; both without an argument. Each builds into a
# folder of its own (.build-asan, .build-tsan). Exit code 0 only if all tests passed and the sanitizers found nothing.
#   MAINSTAY_SIMULATION_SEEDS   simulated networks; 100 here, since all is several times slower
set -uo pipefail
cd "$(dirname "$0")/.."

export MAINSTAY_SIMULATION_SEEDS="${MAINSTAY_SIMULATION_SEEDS:-100}"
export ASAN_OPTIONS="detect_leaks=0" TSAN_OPTIONS="halt_on_error=0 suppressions=$PWD/scripts/tsan-suppressions.txt"
suites='^(RPCTests|RPCPropertyTests|SimulationTests)\.'

worst=0
for sanitizer in "${@:-address thread}"; do
  for kind in $sanitizer; do
    case "$kind" in
      address) scratch=.build-asan ;;
      thread) scratch=.build-tsan ;;
      *) echo "sanitize.sh: no sanitizer \"$kind\"; there are: address, thread" >&2; exit 2 ;;
    esac
    log="$scratch/sanitize.log"
    swift build --build-tests --sanitize="$kind" --scratch-path "$scratch" </dev/null || exit 1
    swift test --skip-build --sanitize="$kind" --scratch-path "$scratch" --filter "$suites" </dev/null 2>&1 | tee "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || worst=1
    findings=$(grep -cE '^(WARNING: ThreadSanitizer|.*ERROR: AddressSanitizer)' "$log")
    echo "$kind sanitizer: $findings findings; all output in $log"
    [ "$findings" -eq 0 ] || worst=1
  done
done
exit "$worst"
