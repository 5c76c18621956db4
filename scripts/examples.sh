#!/usr/bin/env bash
# The programs of the guides that need drivers of others, on a PostgreSQL of their own: do they print what the guides
# say? Those that need none are run by the tests of the root module.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'bash scripts/postgres.sh stop "$dir"; rm -rf "$dir"' EXIT
DATABASE_URL=$(bash scripts/postgres.sh start "$dir" 20)
export DATABASE_URL
go test -C examples/drivers -count=1 -v ./... | grep -av "no test files"
