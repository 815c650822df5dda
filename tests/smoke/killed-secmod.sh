#!/usr/bin/env bash
# The security module is killed: connections stay up and in sight, logins go on, and the operator reaches every connection.
#
#   anna (old) ════╮                   ╭ sec-mod  <- SIGKILL
#   bert (old) ════╪ 192.0.2.1 gateway ┤
#   anna (new) ════╯                   ╰ sec-mod, the next
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'

network
gateway < /dev/null
login old anna
INTERFACE=tun1 login bert bert
secmod=$(pid_of 'Sec-mod PID') session=$(user_field bert Session)

kill -KILL "$secmod"
another_secmod() { differ "$(pid_of 'Sec-mod PID')" "$secmod" && differ "$(pid_of 'Sec-mod PID')" 0 && ctl show status | grep -q 'Status: online'; }
soon "another one takes its place" another_secmod
expect "packets cross" pings -I tun0 $INSIDE
expect "both sessions are in the list" same "$(ctl -j show sessions | jq -r 'map(.Username) | sort | join(" ")')" 'anna bert'
expect "as connected" same "$(ctl -j show sessions | jq -r 'map(.State) | unique | join(" ")')" connected

INTERFACE=tun2 login new anna
expect "anna logs in again beside it" same "$(user_field anna ID | wc -l)" 2
expect "three sessions are in the list" same "$(sessions)" 3
expect "terminate user counts both" matches "$(ctl terminate user anna)" '2 sessions'
soon "the old connection ends" client_gone old
soon "and the new one" client_gone new
expect "bert is still connected" user_has bert State connected
expect "his old session is terminated by its name" ctl terminate session "$session"
soon "his connection ends" client_gone bert
soon "nobody is connected" nobody
soon "there is no session" no_sessions
