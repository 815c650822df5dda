#!/usr/bin/env bash
# Five hundred logins at once; two hundred clients that all get their tunnel, their DTLS and an answer over it, and all are gone afterwards. Another penstockd takes over meanwhile.
#
#   500 clients, one process ════ 192.0.2.1 gateway
. "$(dirname "$0")/lib.sh"

network
say "anna:*:$(perl -e 'print crypt("anna-secret", "ab")')" > "$WORK/passwd" # a hash that costs nothing: it is not what is tried here
gateway 192.0.2.1 << CONF
max-ban-score = 0
max-clients = 0
max-same-clients = 0
CONF
storm() { in_ns "$CLIENT" "$STORM" "$@" 192.0.2.1 443 anna anna-secret; } # OPTION...
# Private pages and page tables, the mean of the workers, in KiB.
worker_memory() {
  local pid
  for pid in $(pgrep -P "$(pid_of 'Nursery PID')"); do
    awk '/^Private|^VmPTE/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup" "/proc/$pid/status"
  done | awk '{ sum += $1 } END { printf "%d\n", sum / NR }'
}
connected() { ctl -j show users | jq length; }

expect "500 logins at once" storm -n 500
again() { storm -n 200 -r > "$WORK/again.log"; }
expect "200 that come back with their cookies" again
expect "and resume their TLS sessions" has "$WORK/again.log" '^200 TLS sessions resumed'

mkfifo "$WORK/hold"
start storm ip netns exec "$CLIENT" sh -c 'exec "$@" < '"$WORK/hold" storm "$STORM" -n 200 -d -k 192.0.2.1 443 anna anna-secret
exec 8> "$WORK/hold"
PATIENCE=60 soon "200 with CONNECT and DTLS" has "$WORK/storm.log" '^open$'
expect "without a failure" has "$WORK/storm.log" '^200 logins, 0 failed'
expect "all are connected" same "$(connected)" 200
expect "by DTLS" same "$(ctl -j show users | jq '[.[] | select(.Channel == "DTLS")] | length')" 200
[ -n "${SANITIZED-}" ] || soon "idle workers get small" eval 'more 256 "$(worker_memory)"'

expect "another penstockd takes over from it" ctl upgrade
expect "all are still connected" same "$(connected)" 200
start more ip netns exec "$CLIENT" "$STORM" -n 300 192.0.2.1 443 anna anna-secret
under_way() { more "$(ctl -j show status | jq .Connections)" 250; }
soon "300 more log in" under_way
expect "and meanwhile another takes over" ctl upgrade
soon "they have ended" gone "$pid"
expect "without a failure" has "$WORK/more.log" '^300 logins, 0 failed'
exec 8>&-
soon "and all have gone" nobody
soon "but for the cookies that nobody came with" eval '[ "$(sessions)" = 800 ]'
expect "the log has no error" never has "$WORK/gateway.log" 'error|cannot|no worker'
