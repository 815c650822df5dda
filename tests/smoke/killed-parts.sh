#!/usr/bin/env bash
# The nursery, a worker that it has left behind, the dataplane and sec-mod are killed, one after the other: each is started anew, the log
# says what happened, and a client comes back by itself to the same address, or notices nothing.
#
#   anna ════ 192.0.2.1 gateway ── nursery, worker, dataplane, sec-mod  <- SIGKILL
#   bert ════╯
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'

# "NAME PID-KEY": kill it and see it replaced.
kill_part() { # NAME KEY
  local old
  old=$(pid_of "$2")
  kill -KILL "$old"
  soon "the $1's death is reported" has "$WORK/gateway.log" "penstockd.*: $1 \(pid $old\) died of signal 9"
  another() { local now; now=$(pid_of "$2") && [ "$now" != 0 ] && [ "$now" != "$old" ] && gateway_online; }
  soon "and there is another one" another "$1" "$2"
}
connects() { grep -c 'CSTP connected' "$WORK/anna.log"; }
times() { [ "$(connects)" = "$1" ]; } # N
said_once() { [ "$(grep -cE "$1" "$WORK/gateway.log")" = 1 ]; } # REGEX

network
gateway < /dev/null
login anna anna
soon "anna has DTLS" client_on_dtls anna
address=$(user_field anna IPv4)

worker=$(pgrep -P "$(pid_of 'Nursery PID')")
INTERFACE=tun1 login bert bert --no-dtls
connected=$(user_field anna raw_connected_at)
kill_part nursery 'Nursery PID'
expect "anna notices nothing" same "$(user_field anna raw_connected_at)" "$connected"
expect "her packets cross" pings -I tun0 $INSIDE
expect "and bert's, by his worker" pings -I tun1 $INSIDE
expect "workers without a nursery are main's" same "$(pgrep -cP "$(main_pid)" penstock-worker)" 3
expect "and go on in another penstockd" ctl upgrade
expect "bert is told to go" ctl terminate user bert
workers_left() { [ "$(pgrep -cP "$(main_pid)" penstock-worker)" = "$1" ]; }
soon "and his worker goes" workers_left 2
kill -KILL "$worker"
soon "the death of anna's is reported as ever" said_once 'penstockd.*: worker 1 \(192.0.2.2\): died of signal 9'
soon "why her session ended is logged, once" said_once "user 'anna' disconnected .*: its worker has died"
PATIENCE=40 soon "anna comes back by herself" times 2
PATIENCE=40 soon "with the same address" user_has anna IPv4 "^$address\$"
PATIENCE=40 soon "her packets cross" answers -I tun0 $INSIDE

connected=$(user_field anna raw_connected_at)
kill_part dataplane 'Dataplane PID'
soon "her packets cross" answers -I tun0 $INSIDE
expect "over the connection of before" same "$(user_field anna raw_connected_at)" "$connected"
secmod=$(pid_of 'Sec-mod PID')
kill -STOP "$secmod"
kill -HUP "$GATEWAY"
soon "a reload begins" has "$WORK/gateway.log" 'SIGHUP: reload'
kill -KILL "$secmod"
soon "sec-mod's death is reported" has "$WORK/gateway.log" 'sec-mod \(pid [0-9]+\) died of signal 9'
soon "the reload is done in spite of it" has "$WORK/gateway.log" 'penstockd.*configuration reloaded'
expect "anna notices nothing" same "$(user_field anna raw_connected_at)" "$connected"
expect "her packets cross" pings -I tun0 $INSIDE
expect "and her cookie is as good as before" same "$(ctl -j show sessions valid | jq -r '.[].Username')" anna
INTERFACE=tun1 login bert bert
expect "bert can log in" pings -I tun1 $INSIDE
