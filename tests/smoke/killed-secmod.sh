#!/usr/bin/env bash
# The security module is killed: connections stay up, cookies stay good, and what was revoked stays void.
#
#   anna (old) ════╮                   ╭ sec-mod  <- SIGKILL
#   bert (old) ════╪ 192.0.2.1 gateway ┤            its records: $WORK/sessions
#   anna (new) ════╯                   ╰ sec-mod, the next
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'

network
gateway < /dev/null
login old anna
INTERFACE=tun1 login bert bert
waiting=$(get_cookie bert bert-secret) # logged in, and not connected yet
voided=$(get_cookie bert bert-secret)
sids() { ctl -j show sessions valid | jq -r '.[] | select(.Username == "bert" and .State == "authenticated") | .Session'; }
expect "one cookie is voided" ctl terminate session "$(sids | tail -n 1)"
address=$(user_field bert IPv4) session=$(user_field bert 'Full session')

another_secmod() { differ "$(pid_of 'Sec-mod PID')" "$1" && differ "$(pid_of 'Sec-mod PID')" 0 && ctl show status | grep -q 'Status: online'; }
kill_secmod() {
  local secmod
  secmod=$(pid_of 'Sec-mod PID')
  kill -KILL "$secmod"
  soon "another sec-mod takes its place" another_secmod "$secmod"
}
kill_secmod
expect "packets cross" pings -I tun0 $INSIDE
expect "all sessions are there, with their cookies" same "$(ctl -j show sessions valid | jq -r 'map(.Username + " " + .State) | sort | join(", ")')" \
  'anna connected, bert authenticated, bert connected'
expect "the file holds no cookie" never grep -qaF "$waiting" "$WORK/sessions"
expect "and is root's alone" same "$(stat -c '%a %U' "$WORK/sessions")" '600 root'

kill -KILL "${client[bert]}"
soon "bert's connection has gone" eval '! user_has bert State connected'
expect "his session has not" same "$(ctl -j show session "$session" | jq -r '.[0].State')" disconnected
INTERFACE=tun2 login_with_cookie waiting "$waiting"
soon "the cookie of before opens a session" client_up waiting
expect "with another address" never matches "$(user_field bert IPv4)" "^$address\$"
login_with_cookie voided "$voided"
soon "the voided one opens none" client_gone voided

INTERFACE=tun1 login new anna
expect "anna logs in again beside it" same "$(user_field anna ID | wc -l)" 2
expect "terminate user counts both" matches "$(ctl terminate user anna)" '2 sessions'
kill_secmod # at once: what has been answered is so
expect "and none of them is left" same "$(ctl -j show sessions | jq -r '.[] | select(.Username == "anna") | .State')" ''
soon "the old connection ends" client_gone old
soon "and the new one" client_gone new

# Who leaves while nobody keeps the records has left.
secmod=$(pid_of 'Sec-mod PID')
kill -STOP "$secmod"
leave waiting
kill -KILL "$secmod"
soon "another sec-mod takes its place" another_secmod "$secmod"
soon "who has left has no session" same "$(sessions)" 1
expect "bert's other session is terminated by its name" ctl terminate session "$session"
soon "there is no session" no_sessions

# While nobody can say who somebody is nobody gets in.
connections() { ctl -j show status | jq .Connections; }
secmod=$(pid_of 'Sec-mod PID') before=$(connections)
kill -STOP "$secmod"
(get_cookie bert bert-secret > "$WORK/meanwhile.cookie" 2> "$WORK/meanwhile.log" || :) &
meanwhile=$!
soon "a login begins while sec-mod stands still" eval 'more "$(connections)" "$before"'
kill -KILL "$secmod"
soon "another sec-mod takes its place" another_secmod "$secmod"
wait "$meanwhile"
expect "that login has failed" never grep -qE '.{40,}' "$WORK/meanwhile.cookie"
expect "the next one is as good as ever" matches "$(get_cookie bert bert-secret)" '.{40,}'
