#!/usr/bin/env bash
# A worker is killed: its client comes back by itself with its cookie, to the same address; the others notice nothing.
#
#   anna ════╮             ╭ worker  <- SIGKILL
#            ├ 192.0.2.1 gateway
#   bert ════╯             ╰ worker
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'

network
gateway < /dev/null
login anna anna
worker=$(cat "/proc/$(pid_of 'Nursery PID')/task/"*/children | tr -d ' ')
INTERFACE=tun1 login bert bert
soon "anna has DTLS" client_on_dtls anna
soon "bert has DTLS" client_on_dtls bert
address=$(user_field anna IPv4) id=$(user_field anna ID) bert=$(user_field bert 'Session started at')
bert_connected=$(user_field bert raw_connected_at)

start events "$BIN/penstockctl" -s "$WORK/admin.socket" -j show events
soon "somebody listens" eval '[ -n "$(ss -xH state established | grep "$WORK/admin.socket")" ]'
kill -KILL "$worker"
soon "its death is reported" has "$WORK/gateway.log" 'died of signal 9'
soon "also as the reason why her session ended" has "$WORK/gateway.log" "user 'anna' disconnected .*: its worker has died"
failed() { matches "$(jq -r 'select(.event == "worker-failed") | .Username + " " + .reason' "$WORK/events.log")" '^anna died of signal 9'; }
soon "and told to who listens" failed
came_back() { [ "$(grep -c 'CSTP connected' "$WORK/anna.log")" = 2 ]; }
PATIENCE=40 soon "anna comes back by herself" came_back
PATIENCE=40 soon "she is connected" user_has anna State connected
expect "with the same address" same "$(user_field anna IPv4)" "$address"
PATIENCE=40 soon "her packets cross" answers -I tun0 $INSIDE
expect "bert's connection is the old one" same "$(user_field bert raw_connected_at)" "$bert_connected"
expect "and his packets cross" pings -I tun1 $INSIDE
