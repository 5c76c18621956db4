#!/usr/bin/env bash
# Runs remote work on hosts of their own, in network namespaces: a PostgreSQL, a
# coordinator and three workers, that are killed at random, while the network of
# one is cut for 30 s and the database is stopped hard and started again. Every
# result must be there, once, in order. Needs root; says so and ends where it isn't.
#   scripts/hosts.sh [ITEMS [KILLS]]
set -euo pipefail
cd "$(dirname "$0")/.."
items=${1:-1000000} kills=${2:-50}
if [ "$(id -u)" != 0 ] || ! ip netns add amz-try 2>/dev/null; then
  echo "network namespaces cannot be made here (root is needed): not run"
  exit 0
fi
ip netns del amz-try
here=$(pwd) dir=$(mktemp -d /tmp/amorsize-hosts.XXXX)
end() {
  status=$?
  [ ! -d "$dir/data" ] || bash scripts/postgres.sh stop "$dir" || true
  for host in db h0 h1 h2 h3; do ip netns del "amz-$host" 2>/dev/null || true; done
  rm -rf "$dir"
  exit $status
}
trap end EXIT
in_db() { ip netns exec amz-db "$@"; }

ip netns add amz-db
in_db ip link set lo up
in_db ip link add br0 type bridge
in_db ip addr add 10.77.0.1/24 dev br0
in_db ip link set br0 up
for n in 0 1 2 3; do
  ip netns add "amz-h$n"
  in_db ip link add "v$n" type veth peer name eth0 netns "amz-h$n"
  in_db ip link set "v$n" master br0 up
  ip netns exec "amz-h$n" ip link set lo up
  ip netns exec "amz-h$n" ip addr add "10.77.0.1$n/24" dev eth0
  ip netns exec "amz-h$n" ip link set eth0 up
done
in_db bash scripts/postgres.sh start "$dir" 200 10.77.0.1 10.77.0.0/24 >/dev/null
(cd remote && go build -o "$dir/drill" ./internal/drill)
chmod 755 "$dir" "$dir/drill"

echo "1 coordinator, 3 workers and a PostgreSQL on five hosts; $kills kills; one host cut off for 30 s; the database stopped hard and back after 3 s"
in_db "$dir/drill" -on "postgres://amorsize@10.77.0.1/postgres?sslmode=disable" -n "$items" -kills "$kills" \
  -every 1200ms -item 2ms -limit 8m -prefix ip,netns,exec,amz-h%d >"$dir/out" 2>"$dir/err" &
drill=$!
sleep 8
in_db ip link set v2 down
echo "host 2 is cut off"
sleep 30
in_db ip link set v2 up
echo "host 2 is back"
sleep 8
if kill -0 $drill 2>/dev/null; then
  bash scripts/postgres.sh stop "$dir"
  echo "the database is gone"
  sleep 3
  in_db bash scripts/postgres.sh again "$dir"
  echo "the database is back"
fi
status=0
wait $drill || status=$?
cat "$dir/out"
tail -20 "$dir/err" >&2
exit $status
