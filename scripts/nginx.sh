#!/usr/bin/env bash
# Runs the tests of package transport and of the command against a real nginx, on loopback and in
# real time: about a minute. Installs nginx where it may.
set -euo pipefail
cd "$(dirname "$0")/.."
find_nginx() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx || true; }
nginx=$(find_nginx)
if [ -z "$nginx" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  # nobody asked for a server that runs all the time
  printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.$$ && chmod +x /tmp/policy-rc.$$
  [ -e /usr/sbin/policy-rc.d ] || { cp /tmp/policy-rc.$$ /usr/sbin/policy-rc.d; placed=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nginx-light
  [ -z "${placed:-}" ] || rm -f /usr/sbin/policy-rc.d
  rm -f /tmp/policy-rc.$$
  nginx=$(find_nginx)
fi
if [ -z "$nginx" ]; then
  echo "no nginx here, and none could be installed: its tests can't run"
  exit 0
fi
AMORSIZE_NGINX=$nginx go test -count=1 -v -run "TestNginx" ./transport ./cmd/amorsize
