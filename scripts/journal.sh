#!/usr/bin/env bash
# A program with a journal is killed at random moments and goes on each time: its output is that
# of one that nobody killed. The same by each way to run, with a count of what ran twice. Then
# a disk fills up under it, and two want to write. Under a minute;
# KILLS and ITEMS have it do more. Full disks need a file system in memory, which takes root.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
mounted=
cleanup() {
  [ -z "$mounted" ] || umount "$work/disk" || true
  rm -rf "$work"
}
trap cleanup EXIT
go build -o "$work/resume" ./examples/resume
go build -o "$work/killdrill" ./scripts/killdrill
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"

seq 2000 >"$work/words"
"$work/resume" "$work/whole.jsonl" <"$work/words" >"$work/want"
for _ in 1 2 3 4 5; do
  "$work/resume" "$work/night.jsonl" <"$work/words" >/dev/null &
  pid=$!
  sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
done
"$work/resume" "$work/night.jsonl" <"$work/words" | cmp - "$work/want"
echo "the program of docs/journal.md: killed 5 times, and its output is what it should be"

"$work/killdrill" -n "${ITEMS:-100000}" -kills "${KILLS:-10}" -seed "$seed"
"$work/killdrill" -mode command -n "$((${ITEMS:-100000} / 5))" -kills "$((${KILLS:-10} / 2))" -seed "$seed"

# said TEXT: the last run failed, and said so.
said() {
  grep -q "$1" "$work/said" || { echo "not said: $1"; cat "$work/said"; exit 1; }
}
"$work/resume" "$work/busy.jsonl" < <(sleep 5) >/dev/null &
pid=$!
sleep 0.5
! "$work/resume" "$work/busy.jsonl" <"$work/words" >/dev/null 2>"$work/said" || exit 1
said "another one writes to it: process $pid"
wait "$pid"

mkdir "$work/disk"
if ! mount -t tmpfs -o size=96k tmpfs "$work/disk" 2>/dev/null; then
  echo "no file system can be mounted here: full disks are left out"
  exit 0
fi
mounted=yes
! "$work/resume" "$work/disk/night.jsonl" <"$work/words" >/dev/null 2>"$work/said" || exit 1
said "no space left on device"
cp "$work/disk/night.jsonl" "$work/full.jsonl"
done=$(grep -c '"type":"item"' "$work/full.jsonl")
"$work/resume" "$work/full.jsonl" <"$work/words" | cmp - "$work/want"
[ "$(grep -c '"type":"item"' "$work/full.jsonl")" = 2000 ] || { echo "not every item is recorded once"; exit 1; }
mount -o remount,ro "$work/disk"
! "$work/resume" "$work/disk/other.jsonl" <"$work/words" >/dev/null 2>"$work/said" || exit 1
said "read-only file system"
! "$work/resume" "$work/disk/night.jsonl" <"$work/words" >/dev/null 2>"$work/said" || exit 1
said "read-only file system"
echo "a disk that was full after $done of 2000 items: it was said, and nothing lost"
