#!/usr/bin/env bash
# Known vulnerabilities in what our code calls, by govulncheck. It needs the Go vulnerability database, or a copy of it
# at GOVULNDB (a URL, also file://); where it can't be reached, that is said, and nothing is checked.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.9.0
db=${GOVULNDB:-https://vuln.go.dev}
case $db in
file://*) ;;
*)
  if ! curl -sf -m 20 -o /dev/null "$db/index/db.json" 2>/dev/null; then
    echo "the database of vulnerabilities can't be reached from here: not checked"
    exit 0
  fi
  ;;
esac
tool=$PWD/bin/govulncheck-$version
if [ ! -x "$tool" ]; then
  mkdir -p bin
  GOBIN=$PWD/bin CGO_ENABLED=0 go install "golang.org/x/vuln/cmd/govulncheck@$version"
  mv bin/govulncheck "$tool"
fi
for module in "${@:-.}"; do
  echo "$module"
  (cd "$module" && "$tool" -db "$db" ./...)
done
