#!/usr/bin/env bash
# The command beside a service of models that counts requests and tokens exactly: 2000 calls
# as fast as it allows, none refused; then the same again, killed at ten random moments and
# continued: no call lost, and none paid for twice but what was in flight at a kill. Under a
# minute.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
go build -o "$work/amorsize" ./cmd/amorsize
go build -o "$work/serve" ./internal/modelservice/serve
export AMORSIZE_HISTORY=off
calls=2000
rpm=12000 # 200 a second
tpm=600000
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
for ((i = 0; i < calls; i++)); do
  echo "{\"custom_id\":\"c$i\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\",\"max_tokens\":80,\"messages\":[{\"role\":\"user\",\"content\":\"prompt $i of a list\"}]}}"
done >"$work/batch.jsonl"

# start OVERLOADED [FLAG...] has the service, with its account empty, at $url.
start() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; }
  : >"$work/url"
  "$work/serve" -for 5m -overloaded "$@" >"$work/url" &
  server=$!
  for _ in $(seq 100); do [ -s "$work/url" ] && break || sleep 0.1; done
  url=$(cat "$work/url")
}

# started is run in place of the shell, so that a kill is the command's.
started() {
  exec "$work/amorsize" http -q --batch-file --rate $rpm/m --rate-tokens $tpm/m -a "$work/batch.jsonl" "$@" "$url"
}

# told NAME: a number of the service's account.
told() { curl -sf "$url/account" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }

# whole FILE: every call has its result, and none an error.
whole() {
  [ "$(grep -o '"custom_id":"c[0-9]*","response":{"status_code":200' "$1" | sort -u | wc -l)" = "$calls" ] || { echo "$1: calls are lost"; return 1; }
}

start 0 -rpm $rpm -tpm $tpm -latency 50ms -per-token 1ms
began=$(date +%s%N)
(started >"$work/out.jsonl")
took=$((($(date +%s%N) - began) / 1000000))
whole "$work/out.jsonl"
[ "$(told answered)" = "$calls" ] || { echo "the service has answered $(told answered) calls"; exit 1; }
[ "$(told refused)" = 0 ] || { echo "the service has refused $(told refused) calls"; exit 1; }
tokens=$(told tokens)
ideal=$((tokens * 60000 / tpm > calls * 60000 / rpm ? tokens * 60000 / tpm : calls * 60000 / rpm))
echo "$calls calls of $tokens tokens in $took ms, ideally $ideal ms; none refused"

start 0.02 -rpm $rpm -tpm $tpm -latency 50ms -per-token 1ms
kills=10
for _ in $(seq $kills); do
  (started --log "$work/log" --resume >>"$work/killed.jsonl") &
  pid=$!
  sleep "0.$((3 + RANDOM % 6))$((RANDOM % 10))"
  pkill -KILL -P "$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
done
(started --log "$work/log" --resume >>"$work/killed.jsonl")
whole "$work/killed.jsonl"
answered=$(told answered)
# In flight at a kill: 200 a second that take 0.13 s at the most, and as many being written down.
most=$((calls + kills * 52))
[ "$answered" -ge "$calls" ] && [ "$answered" -le "$most" ] || { echo "the service has answered $answered calls, want $calls to $most"; exit 1; }
echo "$kills kills: none of $calls calls lost, $((answered - calls)) paid for twice, of at most $((most - calls)) in flight"

# One answer in 67 takes 20 times as long as the others: a second request after a while.
for hedge in false true; do
  start 0 -latency 20ms -per-token 0 -stalled 0.015 -stall 400ms
  "$work/amorsize" http -q --batch-file -j 16 --idempotency-key '{#}' --hedge=$hedge --summary "$work/sum" -a "$work/batch.jsonl" "$url" >"$work/out.jsonl"
  whole "$work/out.jsonl"
  came=$(told calls)
  [ "$came" -ge "$calls" ] && [ "$came" -le $((calls * 105 / 100 + 10)) ] || { echo "the service has had $came calls, want $calls and up to 5 % more"; exit 1; }
  echo "hedging $hedge: $(grep -o '"p99_s":[0-9.]*' "$work/sum" | cut -d: -f2) s is the 99th percentile, $((came - calls)) calls more"
done

# The programs of docs/model-apis.md and docs/http.md.
start 0.02 -rpm $rpm -tpm $tpm -latency 20ms
seq 200 | sed 's/^/question /' | go run ./examples/modelapi -url "$url" -rpm $rpm -tpm $tpm >"$work/answers" 2>"$work/report"
[ "$(grep -c '^word' "$work/answers")" = 200 ] || { cat "$work/report"; exit 1; }
{ seq 20 | sed "s|.*|$url/account|"; echo http://127.0.0.1:1/; } >"$work/urls"
go run ./examples/fetch -rate 100 <"$work/urls" >"$work/fetched" 2>/dev/null && { echo "a host that is down is no failure"; exit 1; }
[ "$(grep -c ' 200 ' "$work/fetched")" = 20 ] && tail -n 1 "$work/fetched" | grep -q 'connection refused' || { cat "$work/fetched"; exit 1; }
echo "the programs of the guides run"
