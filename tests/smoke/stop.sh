#!/usr/bin/env bash
# The gateway stops: clients are told, and nothing stays behind. As a daemon with a pid file, by TERM and by penstockctl.
#
#   client ════ 192.0.2.1 gateway ── TERM
. "$(dirname "$0")/lib.sh"

network
gateway < /dev/null
login client anna
soon "DTLS is up" client_on_dtls client
processes=$(pgrep -g 0 -f "$WORK/penstock.conf" || :)
all=$(for pid in "$GATEWAY" "$(main_pid)" $(pid_of 'Sec-mod PID') $(pid_of 'Dataplane PID') $(pid_of 'Nursery PID'); do say "$pid" "$(cat /proc/"$pid"/task/*/children)"; done)

nothing_left() {
  local pid
  for pid in $all; do gone "$pid" || { say "process $pid is left"; return 1; }; done
  [ ! -e "$WORK/admin.socket" ] || { say "the socket is left"; return 1; }
  [ ! -e "$WORK/penstockd.pid" ] || { say "the pid file is left"; return 1; }
  ! ip -n "$SERVER" link show vpns0 2>/dev/null || { say "the interface is left"; return 1; }
  [ -z "$(in_ns "$SERVER" ss -Hltnu)" ] || { say "a port is left"; return 1; }
}

MAY_END=yes
kill -TERM "$GATEWAY"
soon "TERM: nothing is left" nothing_left
soon "the client was told" client_says client 'disconnect|Disconnect|terminated|reconnect'
stop "${client[client]}"

# The same as a daemon.
in_ns "$SERVER" "$BIN/penstockd" -c "$CONFIG" || fail "penstockd becomes a daemon"
wait_for 30 test -s "$WORK/penstockd.pid" || fail "it writes its pid file"
GATEWAY=$(cat "$WORK/penstockd.pid")
at_end "stop $GATEWAY $(born "$GATEWAY")"
soon "the daemon answers" ctl show status
expect "its pid file is right" same "$(pid_of 'Server PID')" "$GATEWAY"
expect "a second gateway on the same socket is refused" never in_ns "$SERVER" timeout 20 "$BIN/penstockd" -f -c "$CONFIG"
expect "the first has lived through it" ctl show status
all="$GATEWAY $(main_pid)"
expect "stop now" ctl stop now
soon "stop now: nothing is left" nothing_left
expect "penstockctl says that nobody is there" matches "$(ctl show status 2>&1 || :)" 'not running'
