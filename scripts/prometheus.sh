#!/usr/bin/env bash
# Evaluates every query of the dashboard and of the alert rules against a real Prometheus that
# has scraped real runs: half a minute. Installs it where it may.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v prometheus >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null || true
fi
command -v prometheus >/dev/null || { echo "no prometheus here, and none could be installed: no query is evaluated"; exit 0; }
! command -v promtool >/dev/null || promtool check rules telemetry/prometheus/alerts.yml
AMORSIZE_PROMETHEUS=1 go test -C telemetry/prometheus -count=1 -v -timeout 5m -run 'TestPrometheus$' .
