#!/usr/bin/env bash
# count-tests.sh EXIT_CODE <LOG: prints "PASSED FAILED" for the output of `swift test`. A run that ended badly without
# a failed test (a crash, a run cut off) counts as one failure, so that it can never look like success; so does a run
# without any test.
exec awk -v code="$1" '
  # ✔ Test name() passed after 0.001 seconds.      ✘ Test name() with 3 test cases failed after 0.001 seconds with 1 issue.
  # Test output may stand before it on the line, so nothing is anchored.
  /Test run with [0-9]+ tests?/ {
    match($0, /Test run with [0-9]+/)
    total += substr($0, RSTART + 14, RLENGTH - 14)
    ended = 1
    next
  }
  /[✔━] Test .* passed after [0-9.]+ seconds/ { passed++ }
  /✘ Test .* failed after [0-9.]+ seconds/ { failed++ }
  /➜ Test .* skipped/ { skipped++ }
  # XCTest repeats its figures for each enclosing suite: the last line has them all.
  /Executed [0-9]+ tests?, with / {
    match($0, /Executed [0-9]+/); executed = substr($0, RSTART + 9, RLENGTH - 9) + 0
    match($0, /\([0-9]+ unexpected/); match($0, /with ([0-9]+ tests? skipped and )?[0-9]+ failure/)
    text = substr($0, RSTART, RLENGTH); sub(/.*with /, "", text); sub(/.*and /, "", text); broken = text + 0
  }
  END {
    if (ended && total - failed - skipped > passed) passed = total - failed - skipped
    passed += executed - broken
    failed += broken
    if (failed == 0 && (code != 0 || passed == 0)) failed = 1
    print passed + 0, failed + 0
  }
'
