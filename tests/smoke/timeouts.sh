#!/usr/bin/env bash
# Sessions end by themselves: a client that is dead, one that is idle, one whose time is up, whatever it was doing in between. Pings are
# no activity, either way. A mobile client is given more time (mobile-dpd, mobile-idle-timeout).
#
#   dead: SIGSTOP ═══════╮
#   asleep, a mobile one ╡
#   idle: pings only ════╪ 192.0.2.1 gateway, dpd = 2, idle-timeout = 7, session-timeout = 18
#   busy: UDP ═══════════╯
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
dpd = 2
idle-timeout = 7
mobile-idle-timeout = 600
session-timeout = 18
switch-to-tcp-timeout = 0
CONF
cookie=$(get_cookie anna anna-secret)
login_with_cookie busy "$cookie"
expect "she is told how long she may stay" client_says busy 'X-CSTP-Session-Timeout-Remaining: 1[78]'
ip -n "$CLIENT" route add 203.0.113.1 dev tun0
start work ip netns exec "$CLIENT" bash -c 'while sleep 0.3; do echo work > /dev/udp/203.0.113.1/9; done'
INTERFACE=tun1 login idle bert
start ping ip netns exec "$CLIENT" ping -I tun1 -i 0.5 $INSIDE
soon "bert's DTLS is up" client_on_dtls idle
add_user carl carl-secret > /dev/null
INTERFACE=tun2 login dead carl
add_user dora dora-secret > /dev/null
INTERFACE=tun3 login asleep dora --os=android
kill -STOP "${client[dead]}" "${client[asleep]}"
at_end "kill -CONT ${client[dead]} ${client[asleep]}"

not_connected() { [ -z "$(user_field "$1" ID)" ]; }
soon "the dead client is given up" not_connected carl
soon "the log says why" has "$WORK/gateway.log" "'carl' disconnected .*(dead|peer)"
PATIENCE=25 soon "the idle one is disconnected" not_connected bert
soon "the log says why" has "$WORK/gateway.log" "'bert' disconnected .*idle"
expect "a mobile one sleeps on, neither dead nor idle" user_has dora State connected
expect "his pings were answered all the time" has "$WORK/ping.log" "icmp_seq=10 "
expect "the busy one is not" user_has anna State connected
kill -KILL "${client[busy]}"
soon "she loses her connection" not_connected anna
login_with_cookie again "$cookie"
soon "and comes back with her cookie" user_has anna State connected
expect "to what is left of her time" client_says again 'X-CSTP-Session-Timeout-Remaining: ([0-9]|10)$'
PATIENCE=25 soon "but its time is up too" not_connected anna
soon "the log says why" has "$WORK/gateway.log" "'anna' disconnected .*(time|session)"
soon "she was told" client_gone again
