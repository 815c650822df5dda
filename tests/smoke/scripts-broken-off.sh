#!/usr/bin/env bash
# Scripts, and what happens while they run: a client that goes, a session that is terminated, parts of the gateway that die, a stop.
# Whoever was let in by a connect-script, or would have been, has his disconnect-script, once.
#
#   anna, bert ═══ gateway ── connect-script: says "began", waits until it may go on, says "let in"
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'

cat > "$WORK/script" << SH
#!/bin/sh
echo "\$REASON \$USERNAME" >> $WORK/order
[ \$REASON != connect ] || while [ ! -e $WORK/go ]; do sleep 0.05; done
echo "\$REASON \$USERNAME done" >> $WORK/order
SH
chmod +x "$WORK/script"
network
gateway << CONF
connect-script = $WORK/script
disconnect-script = $WORK/script
script-timeout = 20
CONF

said() { has "$WORK/order" "^$1\$"; }
times() { grep -c "^$1\$" "$WORK/order" || :; }
begin_login() { # LABEL USER: until its script runs
  : > "$WORK/order"
  rm -f "$WORK/go"
  INTERFACE=tun-$1 start_client "$1" "$CLIENT" "$2" "$2-secret" 192.0.2.1
  client[$1]=$pid
  soon "$1: the script of $2 runs" said "connect $2"
}
go_on() { : > "$WORK/go"; }
followed() { # WHAT USER
  soon "$1: disconnect-script follows each" in_turn "$2"
}
in_turn() { # USER: one after the other, and each connect has its disconnect
  matches "$(tr '\n' , < "$WORK/order")" "^(connect $1,connect $1 done,disconnect $1,disconnect $1 done,)+$"
}

begin_login gone anna
stop "${client[gone]}"
go_on
followed gone anna

begin_login ended anna
expect "its session is terminated" ctl terminate user anna
soon "ended: the client is told" client_gone ended
go_on
followed ended anna

begin_login secmod anna
kill -KILL "$(pid_of 'Sec-mod PID')"
soon "secmod: another one knows the session" has "$WORK/gateway.log" 'sec-mod has the records of [0-9]+ sessions? of before'
go_on
soon "secmod: its client comes back by itself" client_up secmod
stop "${client[secmod]}"
followed secmod anna

begin_login dataplane anna
kill -KILL "$(pid_of 'Dataplane PID')"
go_on
soon "dataplane: its client is refused, or comes in" client_settled dataplane "${client[dataplane]}"
stop "${client[dataplane]}"
followed dataplane anna

begin_login twice anna
go_on
wait_for 20 client_up twice
rm "$WORK/go"
: > "$WORK/order"
begin_login other bert
expect "a reload does not wait for scripts" ctl reload
go_on
wait_for 20 client_up other
expect "nor do they mind" client_up other
stop "${client[other]}"
followed other bert

begin_login last bert
MAY_END=1
kill "$GATEWAY"
soon "last: the client is told that the gateway stops" client_gone last
expect "which waits for the script" alive "$GATEWAY"
go_on
soon "and is gone then" gone "$GATEWAY"
expect "after disconnect-script" same "$(times 'disconnect bert done')" 1
expect "of everybody" same "$(times 'disconnect anna done')" 1
