#!/usr/bin/env bash
# Runs the tests that draw their rounds at random for long, and writes docs/evidence/soak.md from what they printed; what it
# says of parts that were not run stays.
# soak.sh [PART...]: "fuzz" (damaged bytes and messages), "libfuzzer" (inputs that are sought by what code they reach), "crash"
# (kill -9 during imports and during writes by RPC, on both databases, of the database server too, and of replicas), "upgrade"
# (programs of an earlier commit beside today's), "power" (a disk that loses power), "abuse" (hostile peers at scale), "simulation"
# (calls over a network that a seed decides), "chaos" (harm to replicas behind a gateway, and rolling restarts), "load" (memory under
# load must be flat); all without an argument.
# Called by `make soak`, which builds the programs first. Exit code 0 only if all parts passed.
#   MAINSTAY_FUZZ_ROUNDS, MAINSTAY_CRASH_ROUNDS   how many rounds; 300,000 and 200 without them
#   MAINSTAY_LIBFUZZER_SECONDS                    seconds for each target of scripts/fuzz.sh; 300 without it
#   MAINSTAY_POWER_ROUNDS, MAINSTAY_POWER_SEED    rounds of lost power, three losses each, and the first round's seed; 200
#   MAINSTAY_CRASH_SEED                           the seed of the crash rounds; drawn without it
#   MAINSTAY_PREVIOUS_COMMIT                      what the older programs of "upgrade" are built from
#   MAINSTAY_ABUSE_SCALE                          how much more than in the tests hostile peers do; 50 without it
#   MAINSTAY_SIMULATION_CALLS                     simulated calls; 1,000,000 without it
#   MAINSTAY_CHAOS_SECONDS, MAINSTAY_CHAOS_SEED   seconds of chaos, 900 without them, and its seed, drawn without it
#   MAINSTAY_LOAD_SECONDS                         seconds of load; 600 without it
#   .build/soak-PART.log                          all output of a part
set -uo pipefail
cd "$(dirname "$0")/.."

report=docs/evidence/soak.md
known=(fuzz libfuzzer crash upgrade power abuse simulation chaos load)
export MAINSTAY_BIN="$PWD/.build/release"
export MAINSTAY_FUZZ_ROUNDS="${MAINSTAY_FUZZ_ROUNDS:-300000}" MAINSTAY_CRASH_ROUNDS="${MAINSTAY_CRASH_ROUNDS:-200}"
export MAINSTAY_POWER_ROUNDS="${MAINSTAY_POWER_ROUNDS:-200}"

export MAINSTAY_ABUSE_SCALE="${MAINSTAY_ABUSE_SCALE:-50}"
export MAINSTAY_CHAOS_SECONDS="${MAINSTAY_CHAOS_SECONDS:-900}"
# The first commit of which every service works on PostgreSQL.
previous_commit="${MAINSTAY_PREVIOUS_COMMIT:-1dd5ec7}"
libfuzzer_seconds="${MAINSTAY_LIBFUZZER_SECONDS:-300}"
simulation_calls="${MAINSTAY_SIMULATION_CALLS:-1000000}" load_seconds="${MAINSTAY_LOAD_SECONDS:-600}"

# The kills of each process, from the lines that the rounds print: "…, round 3: gateway after 12 ms, import after 40 ms". With a
# kind of rounds, those of "…, KIND round 3: …".
count_kills() { # log, kind
  sed -n "s/^MAINSTAY_CRASH_SEED=[0-9]*, ${2:+$2 }round [0-9]*: //p" "$1" | tr ',' '\n' | grep -v 'was not running' \
    | awk '$2 == "after" { kills[$1]++ } END { for (name in kills) print "- " name ": " kills[name] }' | sort
}

# How many writes the rounds of a kind told of: "…; 812 acknowledged, 9 asked again".
count_writes() { # log, kind
  grep "^MAINSTAY_CRASH_SEED=.*, $2 round " "$1" |
    awk '{ for (i = 2; i <= NF; i++) { if ($i ~ /^acknowledged/) a += $(i - 1); if ($i == "asked") r += $(i - 1) } }
      END { print a + 0 " writes acknowledged, " r + 0 " times asked again" }'
}

run_tests() { # filter, log
  swift test --skip-build --filter "$1" </dev/null 2>&1 | tee "$2"
  return "${PIPESTATUS[0]}"
}

# A part that is a program passes or fails as one test.
run_program() { # log, command...
  local log="$1"
  shift
  "$@" </dev/null 2>&1 | tee "$log"
  return "${PIPESTATUS[0]}"
}

# The programs of an earlier commit, in .build/previous/bin.
build_previous() {
  [ ! -x .build/previous/bin/mainstay-customer ] || [ "$(cat .build/previous/commit)" != "$previous_commit" ] || return 0
  rm -rf .build/previous/source .build/previous/bin
  mkdir -p .build/previous/source .build/previous/bin
  git archive "$previous_commit" | tar -x -C .build/previous/source || return 1
  swift build --package-path .build/previous/source --scratch-path .build/previous/build -c release \
    --product mainstay-customer </dev/null || return 1
  cp .build/previous/build/release/mainstay-customer .build/previous/bin/ && echo "$previous_commit" >.build/previous/commit
}

describe() { # part: what it did
  local log=".build/soak-$1.log"
  case "$1" in
    abuse)
      echo "The hostile peers of the tests, $MAINSTAY_ABUSE_SCALE times as much of each: how the server ended it, by how much its memory" \
        "grew at most, of what it may (docs/limits.md), and how many calls another caller made meanwhile, none of which failed."
      echo
      sed -n 's/^MAINSTAY_ABUSE /    /p' "$log"
      ;;
    power) sed -n 's/^MAINSTAY_POWER_SEED=\([0-9]*\): /Seed \1: /p' "$log" | sed 's/$/, none lost, none twice, none half./' ;;
    chaos)
      echo "Calls of every kind by PyPI grpcio through the gateway, while its replicas were killed, stopped, made slow, cut off, silenced and" \
        "restarted: each ended with OK and the whole answer or an honest code, and the gateway kept no stream, descriptor or memory. Then" \
        "all replicas and one of two gateways were restarted again and again: not one call failed."
      echo
      grep -E '^(MAINSTAY_CHAOS_SEED=[0-9]+$|round [0-9]+: |[0-9]+ calls, )' "$log" | sed 's/^/    /'
      ;;
    simulation | load) tail -n 3 "$log" | sed 's/^/    /' ;;
    libfuzzer)
      echo "Inputs that each target of \`scripts/fuzz.sh\` was given:"
      echo
      grep -aE '^(target |Done [0-9]+ runs)|ERROR: libFuzzer|SUMMARY' "$log" | sed 's/^/    /'
      ;;
    fuzz) echo "$MAINSTAY_FUZZ_ROUNDS rounds of invented damage to each decoder and to each side of a connection." ;;
    crash)
      echo "Seed $(sed -n 's/^MAINSTAY_CRASH_SEED=\([0-9]*\), .*round .*/\1/p' "$log" | head -1)."
      echo
      echo "$(grep -c '^MAINSTAY_CRASH_SEED=[0-9]*, round ' "$log") of $MAINSTAY_CRASH_ROUNDS rounds:" \
        "an import of some 10,000 rows, a kill -9 of one process or more at a drawn moment, then all rows once and all" \
        "figures as counted from the rows; every tenth round again after \`mainstay reports rebuild\`, during half of" \
        "which reporting is killed. Killed:"
      echo
      count_kills "$log"
      for kind in sqlite postgresql replicas; do
        echo
        case "$kind" in
          sqlite) echo "Concurrent writes by RPC on SQLite, a kill -9 of services; then each write once, with event and leaf." ;;
          postgresql) echo "The same on PostgreSQL, whose server and whose single processes (\"backend\") are killed too." ;;
          replicas) echo "The same through the gateway to two replicas of each service; their subscribers are given each position" \
            "once and in order. In $(grep -c 'had its lease' "$log") rounds the lease had to move to the other replica." ;;
        esac
        echo "$(grep -c "^MAINSTAY_CRASH_SEED=[0-9]*, $kind round " "$log") rounds, $(count_writes "$log" "$kind"). Killed:"
        echo
        count_kills "$log" "$kind"
      done
      ;;
    upgrade) echo "Two replicas on one database under load: programs built from $previous_commit beside today's, today's beside one with a migration more, and a migration that contracts." ;;
  esac
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${known[@]}")
for part in "${parts[@]}"; do
  if ! printf '%s\n' "${known[@]}" | grep -qx "$part"; then
    echo "soak.sh: no part \"$part\"; there are: ${known[*]}" >&2
    exit 2
  fi
done
case " ${parts[*]} " in
  *" fuzz "* | *" crash "* | *" upgrade "* | *" power "* | *" abuse "* | *" chaos "*) swift build --build-tests </dev/null || exit 1 ;;
esac
mkdir -p "$(dirname "$report")"
commit=$(git describe --always --dirty --abbrev=12 --exclude '*')

worst=0
for part in "${parts[@]}"; do
  log=".build/soak-$part.log"
  begin=$SECONDS
  before=$(cut -d ' ' -f 1 /proc/loadavg)
  case "$part" in
    fuzz) run_tests 'FuzzTests/' "$log" ;;
    libfuzzer) run_program "$log" scripts/fuzz.sh "$libfuzzer_seconds" ;;
    crash) run_tests '\.(CrashTests|WriteCrashTests|ReplicaTests)/' "$log" ;;
    upgrade) build_previous && MAINSTAY_PREVIOUS_BIN="$PWD/.build/previous/bin" run_tests '\.RollingUpgradeTests/' "$log" ;;
    power) run_tests '\.PowerLossTests/' "$log" ;;
    abuse) run_tests '\.AbuseTests/' "$log" ;;
    chaos) run_tests '\.ChaosTests/' "$log" ;;
    simulation)
      swift build -c release --product simulate </dev/null && run_program "$log" "$MAINSTAY_BIN/simulate" "$simulation_calls"
      ;;
    load) run_program "$log" python3 Benchmarks/flat.py --seconds "$load_seconds" ;;
  esac
  status=$?
  case "$part" in
    libfuzzer | simulation | load) if [ "$status" -eq 0 ]; then passed=1 failed=0; else passed=0 failed=1; fi ;;
    *) read -r passed failed <<<"$(scripts/count-tests.sh "$status" <"$log")" ;;
  esac
  [ "$failed" -eq 0 ] || worst=1
  {
    echo "## $part: $([ "$failed" -eq 0 ] && echo passed || echo FAILED)"
    echo "On $(date -u +%Y-%m-%d) at commit $commit, on $(nproc) cores ($(uname -sr)), load $before before it began:" \
      "$passed tests passed, $failed failed, in $(((SECONDS - begin + 59) / 60)) minutes."
    describe "$part"
    grep -A 2 '✘ Test .* recorded an issue' "$log" | cut -c 1-400 | sed 's/^/    /' | head -30
  } >".build/soak-$part.md"

  # The report is whole after each part.
  {
    printf '# Soak\n\nWritten by `scripts/soak.sh`, each part when it ran last.\n'
    for each in "${known[@]}"; do
      if [ "$each" = "$part" ]; then
        echo
        cat ".build/soak-$part.md"
      elif [ -f "$report" ]; then
        awk -v part="$each" '/^## / { inside = index($0, "## " part ":") == 1; if (inside) print "" } inside' "$report" |
          sed -e '${/^$/d}'
      fi
    done
  } >.build/soak.md
  mv .build/soak.md "$report"
done
echo "Report: $report"
exit "$worst"
