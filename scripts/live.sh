#!/usr/bin/env bash
# Looks at the live page with a real browser, Chromium, and at its accessibility with axe-core:
# under a minute. Installs both where it may. PICTURES keeps the pictures.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
install() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    [ -n "${updated:-}" ] || apt-get update -qq
    updated=1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null || true
  fi
  command -v "$1" >/dev/null || { echo "no $1 here, and none could be installed: the page is not looked at"; exit 0; }
}
install chromium chromium
install node nodejs
install npm npm
cp scripts/livecheck/{package.json,package-lock.json,check.mjs} "$work"
if ! (cd "$work" && npm ci --silent --no-audit --no-fund); then
  echo "npm can't install what looks at the page: it is not looked at"
  exit 0
fi
go build -o "$work/livecheck" ./scripts/livecheck
"$work/livecheck" -for 5m >"$work/address" &
server=$!
until [ -s "$work/address" ]; do kill -0 "$server"; sleep 0.1; done
pictures=${PICTURES:-$work}
mkdir -p "$pictures"
node "$work/check.mjs" "$(cat "$work/address")" "$(command -v chromium)" "$(realpath "$pictures")"
