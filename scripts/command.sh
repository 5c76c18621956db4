#!/usr/bin/env bash
# Tests the command against xargs and GNU parallel, in a real terminal (tmux) and
# its reports in a real browser (Chromium): some two minutes, more where the
# programs have to be installed first. Installs them where it may.
set -euo pipefail
cd "$(dirname "$0")/.."
install() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    [ -n "${updated:-}" ] || apt-get update -qq
    updated=1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null || true
  fi
  command -v "$1" >/dev/null || echo "no $1 here, and none could be installed: its tests are left out"
}
install parallel parallel
install curl curl
install tmux tmux
install chromium chromium
AMORSIZE_PEERS=1 go test -count=1 -v -timeout 10m -run 'TestPeers|TestTerminal|TestReportInBrowser' ./cmd/amorsize
