#!/usr/bin/env bash
# Writes the command's manual pages and shell completions to DIR, as packages have them.
#   scripts/pages.sh DIR
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$1
rm -rf "$dir"
mkdir -p "$dir/man" "$dir/completions"
go build -buildvcs=true -o "$dir/amorsize" ./cmd/amorsize
"$dir/amorsize" man --dir "$dir/man"
gzip -n -9 "$dir"/man/*.1
for shell in bash zsh fish; do
  "$dir/amorsize" completion "$shell" >"$dir/completions/amorsize.$shell"
done
rm "$dir/amorsize"
