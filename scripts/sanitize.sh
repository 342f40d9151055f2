#!/usr/bin/env bash
# Runs the suites of the wire under sanitizers: scripts/sanitize.sh [address|thread]...; both without an argument. Each
# builds into a folder of its own (.build-asan, .build-tsan), and leaves there sanitize.log and a file sanitize-report.<process>
# for each process that the sanitizer found something in. Exit code 0 only if all tests passed and nothing was found.
#   MAINSTAY_SIMULATION_SEEDS   simulated networks; 100 here, since all is several times slower
#   MAINSTAY_SANITIZE_SUITES    names of other suites than those of RPC, simulation, gateway and protobuf
# Each suite is a process of its own: together they are so slow that tests come to their limits of time.
# What the thread sanitizer must be told of Swift's Mutex is in scripts/tsan-mutex.c.
set -uo pipefail
cd "$(dirname "$0")/.."

export MAINSTAY_SIMULATION_SEEDS="${MAINSTAY_SIMULATION_SEEDS:-100}"
suites="${MAINSTAY_SANITIZE_SUITES:-RPCTests RPCPropertyTests SimulationTests GatewayTests ProtobufTests}"

[ $# -gt 0 ] || set -- address thread
worst=0
for sanitizer in "$@"; do
  case "$sanitizer" in
    address) scratch="$PWD/.build-asan" ;;
    thread) scratch="$PWD/.build-tsan" ;;
    *) echo "sanitize.sh: no sanitizer \"$sanitizer\"; there are: address, thread" >&2; exit 2 ;;
  esac
  mkdir -p "$scratch"
  log="$scratch/sanitize.log"
  rm -f "$scratch"/sanitize-report.*
  # Reports go to files, where no other output gets between their lines and none is lost with a child's output.
  reports="log_path=$scratch/sanitize-report"
  # Swift keeps what it needs once until the end, which is no leak.
  export ASAN_OPTIONS="$reports:detect_leaks=0"
  export TSAN_OPTIONS="$reports"
  export MAINSTAY_BIN="$scratch/debug"
  build=(--sanitize="$sanitizer" --scratch-path "$scratch" -j 2)

  nice -n 5 swift build --build-tests "${build[@]}" </dev/null || exit 1
  preload=""
  if [ "$sanitizer" = thread ]; then
    preload="$scratch/tsan-mutex.so"
    clang -O1 -shared -fPIC -o "$preload" scripts/tsan-mutex.c || exit 1
  fi
  : >"$log"
  for suite in $suites; do
    LD_PRELOAD="$preload" nice -n 5 swift test --skip-build "${build[@]}" --filter "^$suite\\." </dev/null 2>&1 | tee -a "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || worst=1
  done

  findings=$(cat "$log" "$scratch"/sanitize-report.* 2>/dev/null |
    grep -cE '(WARNING: ThreadSanitizer|ERROR: (Address|Thread)Sanitizer)')
  echo "$sanitizer sanitizer: $findings findings in $(find "$scratch" -maxdepth 1 -name 'sanitize-report.*' | wc -l) reports; all output in $log"
  [ "$findings" -eq 0 ] || worst=1
done
exit "$worst"
