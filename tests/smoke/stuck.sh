#!/usr/bin/env bash
# A process that is there but does nothing: the log says so, once, and the operator is not kept waiting for what it knows.
#
#   client ════ 192.0.2.1 gateway ── dataplane, then sec-mod  <- SIGSTOP, SIGCONT
. "$(dirname "$0")/lib.sh"

said_once() { [ "$(grep -cE "$1" "$WORK/gateway.log")" = 1 ]; }         # REGEX
refuses() { matches "$(timeout "$1" "$BIN/penstockctl" -s "$WORK/admin.socket" $2 2>&1 || :)" 'does not answer'; } # SECONDS COMMAND

# A part stops; it is asked with a command before main has noticed, and with the same one afterwards.
stops() { # NAME KEY COMMAND [MEANWHILE]
  local pid
  pid=$(pid_of "$2")
  kill -STOP "$pid"
  ${4-}
  expect "$1: who asks it is answered in time" refuses 12 "$3"
  expect "and afterwards at once" refuses 1 "$3"
  expect "the log says it" said_once "$1 \(pid $pid\) has not answered for"
  expect "and show status" matches "$(ctl show status)" "Status: online; no answer from $1"
  kill -CONT "$pid"
  soon "$1 answers again" has "$WORK/gateway.log" "$1 \(pid $pid\) answers again"
  expect "and tells what it knows" ctl $3
}

network
gateway < /dev/null
login client anna
soon "DTLS is up" client_on_dtls client
stops dataplane 'Dataplane PID' 'show dataplane'
soon "packets cross again" answers -I tun0 $INSIDE
hup() { kill -HUP "$GATEWAY"; }
stops sec-mod 'Sec-mod PID' 'show sessions' hup
expect "a reload has waited no longer" has "$WORK/gateway.log" 'reload: sec-mod does not answer; the old configuration stays'
soon "and is done now" has "$WORK/gateway.log" 'configuration reloaded'
expect "and logins go on" matches "$(get_cookie bert bert-secret)" '.{40,}'
expect "nothing else was ever stuck" same "$(grep -c 'has not answered' "$WORK/gateway.log")" 2
