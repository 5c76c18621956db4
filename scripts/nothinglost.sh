#!/usr/bin/env bash
# Kills runs of the command, and lets disks fill up under it, at random moments, and
# continues them until they are through: every item must have been run, and have its
# result. Under a minute. Full disks need a file system in memory, which takes root.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
mounted=
cleanup() {
  [ -z "$mounted" ] || umount "$work/disk" || true
  rm -rf "$work"
}
trap cleanup EXIT
go build -o "$work/amorsize" ./cmd/amorsize
export AMORSIZE_HISTORY=off
amorsize=$work/amorsize
items=100
# shellcheck disable=SC2016 # $1 is the script's
script='echo "$1"; printf "%02000d\n" 0'
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
seq "$items" >"$work/want"

# run DIR: its results, as files and in a log, are in DIR.
run() {
  "$amorsize" run -q -j4 --range "$items" --log "$1/log" --resume --results "$1/R/{}.out" --sh "$script" 2>>"$work/said"
}

# started DIR is run in place of the shell, so that a kill is the command's.
started() {
  exec "$amorsize" run -q -j4 --range "$items" --log "$1/log" --resume --results "$1/R/{}.out" --sh "$script"
}

# whole DIR: every item has its result, and is over once. What a kill leaves of one that
# was being written has a name of its own, and is none.
whole() {
  seq -f "$1/R/%g.out" "$items" | xargs head -q -n 1 | cmp - "$work/want" || return 1
  short=$(find "$1/R" -type f -size -2003c ! -name '.amorsize-*')
  [ -z "$short" ] || { echo "results are not whole: $short"; return 1; }
  [ "$(grep -c '"type":"item".*"ok":true' "$1/log")" = "$items" ] || { echo "not every item is over once"; return 1; }
}

for round in $(seq 10); do
  mkdir "$work/kill"
  started "$work/kill" 2>/dev/null &
  pid=$!
  sleep "0.$((RANDOM % 9))$((RANDOM % 10))"
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  run "$work/kill" || { cat "$work/said"; exit 1; }
  whole "$work/kill" || { echo "lost by kill $round"; exit 1; }
  rm -r "$work/kill"
done
echo "10 kills: nothing lost"

mkdir "$work/disk"
if ! mount -t tmpfs -o size=8m tmpfs "$work/disk" 2>/dev/null; then
  echo "no file system can be mounted here: full disks are left out"
  exit 0
fi
mounted=yes
export TMPDIR=$work/disk/tmp
for round in $(seq 10); do
  mkdir -p "$work/disk/run" "$TMPDIR"
  # What is left is used up somewhere in the run: that writes some 4 kB an item.
  head -c $((8388608 - 100000 - RANDOM * 8)) /dev/zero >"$work/disk/fill"
  status=0
  run "$work/disk/run" || status=$?
  rm "$work/disk/fill"
  # Items that failed because their own output had no room are run again, too.
  "$amorsize" run -q -j4 --range "$items" --log "$work/disk/run/log" --resume-failed --results "$work/disk/run/R/{}.out" --sh "$script" 2>>"$work/said" || { cat "$work/said"; exit 1; }
  whole "$work/disk/run" || { echo "lost by full disk $round (status $status)"; exit 1; }
  [ "$status" = 0 ] || full=$((${full:-0} + 1))
  rm -r "$work/disk/run" "$TMPDIR"
done
[ "${full:-0}" -gt 0 ] || { echo "no disk was full: this tested nothing"; exit 1; }
echo "10 disks, of which ${full:-0} were full before the end: nothing lost"
