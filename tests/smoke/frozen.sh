#!/usr/bin/env bash
# A client that stops reading, while its kernel goes on answering: its session is closed within 15 s, and said to be so; one that only
# pauses keeps its session, and nobody else notices anything.
#
#   frozen client ══ TLS ══╮
#                          ╞══ 192.0.2.1 gateway 10.99.0.1 ── ping -f
#   other client ═══ TLS ══╯
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 < /dev/null
login client anna --no-dtls
INTERFACE=tun1 login other bert --no-dtls
start events ctl show events
start pinger ip netns exec "$CLIENT" ping -I tun1 -i 0.2 -D $INSIDE
pinger=$pid
flood() { start flood ip netns exec "$SERVER" ping -q -i 0.001 -s 1300 "$(user_field anna IPv4)"; }
frozen_at() { kill -STOP "${client[client]}"; at_end "kill -CONT ${client[client]} 2> /dev/null"; date +%s%N; }

flood
frozen_at > /dev/null
sleep 2 # the pause is what is tested
kill -CONT "${client[client]}"
soon "a client that pauses goes on" answers -I tun0 $INSIDE
expect "in its session" user_has anna State connected

then=$(frozen_at)
closed() { has "$WORK/gateway.log" "user 'anna' disconnected from .*: the client has stopped reading"; }
PATIENCE=20 soon "one that does not read any more is closed" closed
expect "within 15 s" more 15000 $((($(date +%s%N) - then) / 1000000))
expect "the worker has said why" has "$WORK/gateway.log" 'penstock-worker.*192\.0\.2\.2\] the client has stopped reading'
soon "so do the events" has "$WORK/events.log" 'anna.*the client has stopped reading'
expect "the other one has its session" user_has bert State connected
kill -INT "$pinger"
soon "its ping ends" gone "$pinger"
lost=$(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' "$WORK/pinger.log")
expect "and has lost nothing" same "${lost:-none}" 0
kill -CONT "${client[client]}"
soon "when it reads again it comes back with its cookie" user_has anna State connected
