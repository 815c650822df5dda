#!/usr/bin/env bash
# A main that dies of what it takes over, or seems to, is followed by one that begins anew. When the keeper dies main goes on; when both have, who
# starts the gateway again has its clients back, with the addresses of before.
#
#   anna ════ 192.0.2.1 keeper ── main  <- SIGSEGV, SIGSEGV, SIGSEGV
#                       its records: $WORK/sessions
. "$(dirname "$0")/lib.sh"
MAY_LOG='main died of signal|nursery \(pid [0-9]+\) died of signal 9'

another_main() { local now; now=$(main_pid) && [ "$now" != "$main" ]; }
another_nursery() { local now; now=$(pid_of 'Nursery PID') && [ "$now" != "$dead" ] && [ "$now" != 0 ] && gateway_online; }
logged() { has "$WORK/gateway.log" "$1"; }
parts() { say "$(pid_of 'Sec-mod PID') $(pid_of 'Dataplane PID') $(pid_of 'Nursery PID')"; }

network
cd "$WORK"
OPTIONS=(--config penstock.conf) # from here: the keeper has to find it again
gateway << CONF
predictable-ips = false
persistent-cookies = true
CONF
login anna anna
cookie=$(get_cookie bert bert-secret)
address=$(user_field anna IPv4) session=$(user_field anna 'Full session')
started=$(user_field anna raw_session_started_at)

children=$(parts)
# Three in a row are enough, each within five seconds of its start: the first has lived longer.
for ((i = 0; i < 8; i++)); do
  main=$(main_pid)
  kill -SEGV "$main"
  PATIENCE=30 soon "main crashes, and there is another" another_main
  ! logged 'it begins anew' || break
done
expect "at last it has begun anew" logged 'dies of what it takes over: it begins anew'
soon "the gateway is up" gateway_online
for child in $children; do expect "process $child is gone" gone "$child"; done
PATIENCE=40 soon "anna comes back by herself" user_has anna State connected
expect "in the same session" same "$(user_field anna 'Full session')" "$session"
expect "at the same address" same "$(user_field anna IPv4)" "$address"
expect "which began when it began" same "$(user_field anna raw_session_started_at)" "$started"
dead=$(pid_of 'Nursery PID')
kill -KILL "$dead"
soon "it hears of a child that ends" another_nursery
main=$(main_pid)
kill -KILL "$main"
soon "it is kept as the first one was" another_main
expect "her packets cross" pings -I tun0 $INSIDE

keeper=$GATEWAY
kill -KILL "$keeper"
MAY_END=1
soon "without its keeper main goes on" logged 'the keeper has died'
GATEWAY=$(main_pid)
expect "and says so" same "$(ctl -j show status | jq -r .Keeper)" none
expect "packets cross" pings -I tun0 $INSIDE
dead=$(pid_of 'Nursery PID')
kill -KILL "$dead"
soon "a nursery that nobody waits for is missed" another_nursery

children=$(parts)
kill -KILL "$GATEWAY"
for child in $children; do soon "process $child is gone with main" gone "$child"; done
start_gateway "$SERVER" || fail "it starts again"
INTERFACE=tun1 login_with_cookie new "$cookie"
soon "a cookie that was never shown opens a session" client_up new
expect "with an address that is not kept for another" differ "$(user_field bert IPv4)" "$address"
stop "${client[new]}"
stop "${client[anna]}"

stop "$GATEWAY"
expect "an orderly stop keeps nothing" never test -e "$WORK/sessions"
