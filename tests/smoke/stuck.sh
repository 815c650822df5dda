#!/usr/bin/env bash
# A process that is there but does nothing: the log says so, the operator is not kept waiting for what it knows, and it is killed so that
# another takes its place. Who is connected stays so, but for the client of a worker, who comes back by itself.
#
#   client ════ 192.0.2.1 gateway ── a worker, nursery, sec-mod, dataplane  <- SIGSTOP
. "$(dirname "$0")/lib.sh"
MAY_LOG='(nursery|sec-mod|dataplane) \(pid [0-9]+\) died of signal 9'

said_once() { [ "$(grep -cE "$1" "$WORK/gateway.log")" = 1 ]; }         # REGEX
refuses() { matches "$(timeout "$1" "$BIN/penstockctl" -s "$WORK/admin.socket" $2 2>&1 || :)" 'does not answer'; } # SECONDS COMMAND
is_another() { local now; now=$(pid_of "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ] && gateway_online; } # KEY PID

# A part stops. What is asked of it, if it knows anything, is refused as soon as main has noticed.
declare -A part
stops() { part[$1]=$(pid_of "$2"); kill -STOP "${part[$1]}"; } # NAME KEY
is_replaced() { # NAME KEY [COMMAND]
  [ -z "${3-}" ] || expect "$1: who asks it is answered in time" refuses 10 "$3"
  PATIENCE=8 soon "the log says that $1 does not answer" said_once "$1 \(pid ${part[$1]}\) has not answered for 3 seconds: it is killed"
  soon "another $1 takes its place" is_another "$2" "${part[$1]}"
  [ -z "${3-}" ] || expect "and tells what it knows" ctl $3
}

network
gateway < /dev/null
login client anna
soon "DTLS is up" client_on_dtls client
connected=$(user_field anna raw_connected_at)

worker=$(cat "/proc/$(pid_of 'Nursery PID')/task/"*/children | tr -d ' ')
kill -STOP "$worker"
soon "a worker that is stopped is ended" has "$WORK/gateway.log" "worker [0-9]+ \(192\.0\.2\.2\): is stopped"
soon "and gone" gone "$worker"
another_connection() { [ -n "$(user_field anna raw_connected_at)" ] && differ "$(user_field anna raw_connected_at)" "$connected"; }
PATIENCE=40 soon "its client comes back by itself" another_connection
PATIENCE=40 soon "to DTLS" client_on_dtls client
connected=$(user_field anna raw_connected_at)

stops nursery 'Nursery PID'
stops sec-mod 'Sec-mod PID'
kill -HUP "$GATEWAY"
is_replaced sec-mod 'Sec-mod PID' 'show sessions'
is_replaced nursery 'Nursery PID'
expect "a reload has waited no longer" has "$WORK/gateway.log" 'reload: sec-mod does not answer; the old configuration stays'
expect "the client has noticed nothing of either" same "$(user_field anna raw_connected_at)" "$connected"
expect "its packets cross" pings -I tun0 $INSIDE
expect "and logins go on" matches "$(get_cookie bert bert-secret)" '.{40,}'

stops dataplane 'Dataplane PID'
is_replaced dataplane 'Dataplane PID' 'show dataplane'
soon "packets cross again" answers -I tun0 $INSIDE
expect "over the connection of before" same "$(user_field anna raw_connected_at)" "$connected"
expect "without another login" same "$(grep -c "login of 'anna'" "$WORK/gateway.log")" 1
expect "nothing else was ever stuck" same "$(grep -c 'has not answered' "$WORK/gateway.log")" 3
