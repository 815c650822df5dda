#!/usr/bin/env bash
# Sessions end by themselves: a client that is dead, one that is idle, one whose time is up.
#
#   dead: SIGSTOP ════╮
#   idle: no packet ══╪ 192.0.2.1 gateway, dpd = 2, idle-timeout = 8, session-timeout = 20
#   busy: pings ══════╯
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
dpd = 2
idle-timeout = 8
session-timeout = 20
switch-to-tcp-timeout = 0
CONF
login busy anna
start ping ip netns exec "$CLIENT" ping -I tun0 -i 0.5 $INSIDE
INTERFACE=tun1 login idle bert
soon "bert's DTLS is up" client_on_dtls idle
add_user carl carl-secret > /dev/null
INTERFACE=tun2 login dead carl
kill -STOP "${client[dead]}"
at_end "kill -CONT ${client[dead]}"

not_connected() { [ -z "$(user_field "$1" ID)" ]; }
soon "the dead client is given up" not_connected carl
expect "the log says why" has "$WORK/gateway.log" "'carl' disconnected .*(dead|peer)"
PATIENCE=25 soon "the idle one is disconnected" not_connected bert
expect "the log says why" has "$WORK/gateway.log" "'bert' disconnected .*idle"
expect "the busy one is not" user_has anna State connected
PATIENCE=25 soon "but its time is up too" not_connected anna
expect "the log says why" has "$WORK/gateway.log" "'anna' disconnected .*(time|session)"
soon "she was told" client_gone busy
