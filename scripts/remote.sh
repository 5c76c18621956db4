#!/usr/bin/env bash
# Remote runs on SQLite and a PostgreSQL of their own: tests, a durable program that is
# killed, items that end their process, a limit that processes share, and hosts of
# their own. Four to five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -C remote -count=1 -shuffle=on ./...
if command -v cc >/dev/null; then
  CGO_ENABLED=1 go test -C remote -count=1 -race -shuffle=on . ./internal/store
fi
go test -C remote/internal/frame -run '^$' -fuzz '^FuzzFrames$' -fuzztime 40000x .
go test -C cmd/amorsize/amorsize-remote -count=1 ./...
bash scripts/durable.sh
bash scripts/fulldisk.sh
bash scripts/pgbouncer.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -C remote -o "$work" ./internal/drill ./internal/rates
echo "workers and coordinators killed, and an item that ends its process:"
"$work/drill" -on "sqlite:$work/drill.db" -n 30000 -kills 6 -poison 777 -limit 4m 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
echo "| rate | granted | off | most in 1 s | in 100 ms | trips per token | CPU | a process | longest gap |"
"$work/rates" -on "sqlite:$work/rates.db" -rate 100 -for 4s
"$work/rates" -on "sqlite:$work/rates.db" -rate 5000 -for 4s
bash scripts/hosts.sh 600000 12
