#!/usr/bin/env bash
# A durable run on SQLite, killed in the middle and started again: it must print what
# an undisturbed one prints, and not ask for everything once more. Seconds, no server.
set -euo pipefail
cd "$(dirname "$0")/../remote"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/durable" ./examples/durable
durable() { "$work/durable" -on "sqlite:$work/$1.db" -run night; }

durable calm >"$work/want"
started() { exec "$work/durable" -on "sqlite:$work/killed.db" -run night; }
for ((kill = 1; kill <= 3; kill++)); do
  started >"$work/got" 2>"$work/said" &
  sleep "0.$((RANDOM % 5 + 3))"
  kill -9 $! 2>/dev/null || true
  wait $! 2>/dev/null || true
done
durable killed >"$work/got" 2> >(tee "$work/said" >&2)
cmp "$work/want" "$work/got"
wait
echo "killed 3 times; $(wc -l <"$work/got") results, the same"
