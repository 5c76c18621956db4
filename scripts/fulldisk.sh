#!/usr/bin/env bash
# A durable run on a disk that is full: it says so, waits, and goes on when there is
# room, with nothing lost. The disk is in memory, which takes root.
set -euo pipefail
cd "$(dirname "$0")/../remote"
work=$(mktemp -d)
mounted=
cleanup() {
  [ -z "$mounted" ] || umount "$work/disk" || true
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/disk"
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=4m tmpfs "$work/disk" 2>/dev/null; then
  echo "no file system can be mounted here: a full disk is not tried"
  exit 0
fi
mounted=yes
go build -o "$work/durable" ./examples/durable
"$work/durable" -on "sqlite:$work/calm.db" -run night >"$work/want"
"$work/durable" -on "sqlite:$work/disk/full.db" -run before -data /dev/null 2>/dev/null || true # makes the tables
dd if=/dev/zero of="$work/disk/filler" bs=1k count=10000 2>/dev/null || true
truncate -s -120K "$work/disk/filler" # some of it fits
"$work/durable" -on "sqlite:$work/disk/full.db" -run night >"$work/got" 2>"$work/said" &
pid=$!
for ((i = 0; i < 300; i++)); do
  grep -q "database unavailable" "$work/said" && break
  kill -0 $pid 2>/dev/null || break
  sleep 0.1
done
if ! grep -q "database unavailable" "$work/said"; then
  cat "$work/said" >&2
  echo "it did not notice that the disk is full" >&2
  exit 1
fi
rm "$work/disk/filler"
wait $pid
cmp "$work/want" "$work/got"
echo "the disk was full, and then was not; $(wc -l <"$work/got") results, the same"
