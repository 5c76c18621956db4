#!/usr/bin/env bash
# Remote runs through PgBouncer in session mode, with workers that are killed. Installs
# it where it may, and says so where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v pgbouncer >/dev/null && [ ! -x /usr/sbin/pgbouncer ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  made=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && made=yes
  fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pgbouncer; } >/dev/null 2>&1 || true
  [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
fi
bouncer=$(command -v pgbouncer || ls /usr/sbin/pgbouncer 2>/dev/null || true)
if [ -z "$bouncer" ]; then
  echo "no PgBouncer here, and none could be installed: not tried"
  exit 0
fi
dir=$(mktemp -d /tmp/amorsize-pgb.XXXX)
cleanup() {
  [ ! -f "$dir/bouncer.pid" ] || kill "$(cat "$dir/bouncer.pid")" 2>/dev/null || true
  [ ! -d "$dir/data" ] || bash scripts/postgres.sh stop "$dir" || true
  rm -rf "$dir"
}
trap cleanup EXIT
bash scripts/postgres.sh start "$dir" 60 >/dev/null
echo '"amorsize" ""' >"$dir/users"
cat >"$dir/bouncer.ini" <<INI
[databases]
postgres = host=$dir port=5432 dbname=postgres
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
pool_mode = session
max_client_conn = 200
default_pool_size = 50
pidfile = $dir/bouncer.pid
logfile = $dir/bouncer.log
INI
chmod 777 "$dir"
chmod 644 "$dir/users" "$dir/bouncer.ini"
as() { "$@"; }
[ "$(id -u)" != 0 ] || as() { runuser -u postgres -- "$@"; }
as "$bouncer" -q -d "$dir/bouncer.ini"
go build -C remote -o "$dir/drill" ./internal/drill
"$dir/drill" -on "postgres://amorsize@/postgres?host=$dir&port=6432&sslmode=disable" -n 30000 -kills 4 -limit 3m 2>"$dir/said" || { tail -20 "$dir/said" "$dir/bouncer.log" >&2; exit 1; }
