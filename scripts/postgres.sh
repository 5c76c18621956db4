#!/usr/bin/env bash
# Starts or stops a PostgreSQL of its own on a socket in DIR, with so many
# connections allowed, and prints how to connect to it. Installs it where it may.
#   scripts/postgres.sh start DIR CONNECTIONS [ADDRESS NETWORK] | again DIR | stop DIR
# With ADDRESS it listens there too, for NETWORK; "again" starts one anew that was
# stopped. With PG_FSYNC=on commits wait for the disk, as they do in earnest.
set -euo pipefail
what=$1 dir=$2
find_bin() {
  local found
  found=$(command -v pg_ctl || ls -d /usr/lib/postgresql/*/bin/pg_ctl 2>/dev/null | tail -1 || true)
  [ -z "$found" ] || dirname "$(readlink -f "$found")"
}
bin=$(find_bin)
if [ -z "$bin" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # nobody asked for a server that runs all the time
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql; } >&2
  bin=$(find_bin)
fi
if [ -z "$bin" ]; then
  echo "no PostgreSQL here, and none could be installed" >&2
  exit 1
fi
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then # it refuses to run as root
  id postgres >/dev/null 2>&1 || useradd --system postgres
  chown postgres "$dir"
  as() { runuser -u postgres -- "$@"; }
fi
case $what in
start)
  as "$bin/initdb" -D "$dir/data" -U amorsize -A trust --no-sync >/dev/null
  cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '${4:-}'
unix_socket_directories = '$dir'
max_connections = $3
superuser_reserved_connections = 0
fsync = ${PG_FSYNC:-off}
max_wal_senders = 0
CONF
  [ -z "${5:-}" ] || echo "host all all $5 trust" >>"$dir/data/pg_hba.conf"
  as "$bin/pg_ctl" -D "$dir/data" -w -s -l "$dir/log" start >/dev/null
  chmod 755 "$dir"
  echo "host=$dir user=amorsize dbname=postgres sslmode=disable"
  ;;
again)
  as "$bin/pg_ctl" -D "$dir/data" -w -s -l "$dir/log" start >/dev/null
  ;;
stop)
  as "$bin/pg_ctl" -D "$dir/data" -m immediate -s stop >/dev/null
  ;;
*)
  echo "usage: $0 start DIR CONNECTIONS [ADDRESS NETWORK] | again DIR | stop DIR" >&2
  exit 2
  ;;
esac
