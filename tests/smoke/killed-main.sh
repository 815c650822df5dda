#!/usr/bin/env bash
# The whole gateway is killed and started anew: its clients come back with their cookies, and have the addresses of before.
#
#   anna ════ 192.0.2.1 penstockd  <- SIGKILL
#   bert ════╯    its records: $WORK/sessions
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
predictable-ips = false
persistent-cookies = true
CONF
login anna anna
INTERFACE=tun1 login bert bert
cookie=$(get_cookie bert bert-secret)
voided=$(get_cookie bert bert-secret)
voided_sid=$(ctl -j show sessions valid | jq -r 'map(select(.State == "authenticated")) | last | ."Full session"')
expect "a cookie is voided" ctl terminate session "$voided_sid"
anna=$(user_field anna IPv4) bert=$(user_field bert IPv4) session=$(user_field anna 'Full session')
started=$(user_field anna raw_session_started_at)
children=$(pid_of 'Sec-mod PID')\ $(pid_of 'Dataplane PID')\ $(pid_of 'Nursery PID')
stop "${client[bert]}"
soon "bert has said goodbye, and his cookie persists" same "$(ctl -j show sessions valid | jq 'map(select(.Username == "bert")) | length')" 2

kill -KILL "$GATEWAY"
soon "it is gone" gone "$GATEWAY"
for child in $children; do soon "so is process $child" gone "$child"; done
start_gateway "$SERVER" || fail "it starts again"
PATIENCE=30 soon "anna comes back by herself" user_has anna State connected
expect "in the same session" same "$(user_field anna 'Full session')" "$session"
expect "at the same address" same "$(user_field anna IPv4)" "$anna"
soon "her packets cross" answers -I tun0 $INSIDE
expect "which began when it began" same "$(user_field anna raw_session_started_at)" "$started"
INTERFACE=tun1 login_with_cookie new "$cookie"
soon "a cookie that was never shown opens a session" client_up new
expect "with an address that is not kept for another" never matches "$(user_field bert IPv4)" "^($anna|$bert)\$"
login_with_cookie voided "$voided"
soon "a voided one does not" client_gone voided

MAY_END=1
stop "$GATEWAY"
expect "an orderly stop keeps nothing" never test -e "$WORK/sessions"
