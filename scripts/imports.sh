#!/usr/bin/env bash
# The import rules: arrows run one way, and the core links little.
#   root → executor → optimizer → sampling
# The policy packages import nothing of ours outside internal/; transport imports them.
set -euo pipefail
cd "$(dirname "$0")/.."
module=$(go list -m)
failed=0

# forbid PACKAGE DEPENDENCY...: PACKAGE must not link any DEPENDENCY.
forbid() {
  local package=$1
  shift
  [ -d "$package" ] || return 0
  local deps
  deps=$(go list -deps "./$package")
  for other in "$@"; do
    if grep -qx "$module${other:+/$other}" <<<"$deps"; then
      echo "imports: $package must not depend on ${other:-the root package}"
      failed=1
    fi
  done
}

forbid sampling "" executor optimizer ratelimit retry circuitbreaker
forbid optimizer "" executor ratelimit retry circuitbreaker
forbid executor "" ratelimit retry circuitbreaker transport
for policy in ratelimit retry circuitbreaker concurrency; do
  forbid "$policy" "" executor optimizer sampling transport
done
forbid ratelimit retry circuitbreaker concurrency
forbid retry ratelimit circuitbreaker concurrency
forbid circuitbreaker ratelimit retry concurrency
forbid concurrency ratelimit retry circuitbreaker
forbid transport "" executor optimizer sampling
for law in internal/adaptive internal/hillclimb; do # they import nothing of ours
  if go list -f '{{join .Imports "\n"}}' "./$law" | grep -q "^$module"; then
    echo "imports: $law must import nothing of this module"
    failed=1
  fi
done
# The executor's own packages know nothing of a run.
for part in source sizing flight; do
  forbid "executor/internal/$part" "" executor optimizer sampling
done
forbid executor/internal/source internal/adaptive internal/hillclimb
forbid journal "" executor optimizer sampling ratelimit retry circuitbreaker concurrency transport
forbid executor journal live progress
for shows in live progress internal/runtotals; do
  forbid "$shows" ratelimit retry circuitbreaker concurrency transport
done
forbid "" live progress internal/runtotals
forbid amorsizetest "" executor optimizer sampling ratelimit retry circuitbreaker transport

# Within the command: what runs jobs of a kind does not know the run, nor the run what runs them.
in=cmd/amorsize/internal
for kind in command request function; do
  forbid $in/$kind $in/cli $in/run $in/profiling
done
forbid $in/run $in/cli $in/command $in/request $in/function $in/profiling
forbid $in/profiling $in/cli $in/run
for part in jobs output joblog process items; do
  forbid $in/$part $in/cli $in/run $in/profiling
done

# What the core imports itself: the standard library, x/sync, gopsutil v3 and, for
# percentiles, HdrHistogram (the standard library only).
for package in . executor executor/internal/source executor/internal/sizing executor/internal/flight optimizer sampling ratelimit retry circuitbreaker concurrency transport journal amorsizetest internal/queueing internal/scenarios internal/clock internal/answer internal/callback invalid histogram internal/jsontext internal/spillqueue internal/keyed internal/fifo internal/adaptive internal/hillclimb; do
  [ -d "$package" ] || continue
  while read -r import; do
    case $import in
    "$module" | "$module"/*) ;;
    golang.org/x/sync/* | github.com/shirou/gopsutil/v3/*) [ "$package" != journal ] || failed=1 ;; # the standard library only
    github.com/HdrHistogram/hdrhistogram-go) [ "$package" = executor ] || failed=1 ;; # percentiles
    *.*/*)
      echo "imports: $package must not import $import"
      failed=1
      ;;
    esac
  done < <(go list -f '{{join .Imports "\n"}}' "./$package")
done

[ $failed = 0 ] && echo "import rules hold"
exit $failed
