#!/usr/bin/env bash
# Several outer interfaces at once, each with a client of its own, over IPv4 and IPv6.
#
#   client a 192.0.2.2    ════ outer  192.0.2.1    ╮
#                                                  ├ gateway vpns0 10.99.0.1
#   client b 2001:db8:b::2 ════ outer2 2001:db8:b::1 ╯
# One of the interfaces goes down, goes away, and comes back.
. "$(dirname "$0")/lib.sh"
OTHER=$NAME-b
MAY_LOG='dataplane .* died of signal 15'

network
forwarding
add_netns "$OTHER"
second_cable() { add_link "$SERVER" outer2 203.0.113.1/24,2001:db8:b::1/64 "$OTHER" eth0 203.0.113.2/24,2001:db8:b::2/64; }
second_cable
gateway 192.0.2.1 203.0.113.1 2001:db8:b::1 << CONF
outer = outer
outer = outer2
CONF
expect "the dataplane has a port on both" same "$(ctl -j show dataplane | jq '[.ports[] | select(.role == "outer")] | length')" 2

login a anna
NETNS=$OTHER HOST='[2001:db8:b::1]' login b bert
soon "DTLS over the first" client_on_dtls a
soon "DTLS over the second" client_on_dtls b
expect "pings cross from a" pings $INSIDE
NETNS=$OTHER expect "and from b" pings $INSIDE
expect "a and b reach each other through the gateway" pings "$(given b INTERNAL_IP4_ADDRESS)"

log_says() { has "$WORK/gateway.log" "penstock-dataplane.*: the interface outer2 $1"; } # REGEX
ip -n "$SERVER" link set outer2 down
soon "one of them goes down" log_says 'is down'
ip -n "$SERVER" link set outer2 up
soon "and up" log_says 'is up again'
ip -n "$SERVER" addr replace 2001:db8:b::1/64 dev outer2 nodad
PATIENCE=40 NETNS=$OTHER soon "b's packets cross again" answers $INSIDE
ip -n "$SERVER" link del outer2
soon "it goes away" log_says 'has gone'
expect "which show dataplane shows" same "$(ctl -j show dataplane | jq -r '.ports[] | select(.interface == "outer2") | .up, .note')" $'false\nthe interface has gone'
expect "a does not notice" pings $INSIDE
second_cable
soon "it comes back, and the log says what to do" log_says 'is back, .* end this process'
dataplane=$(pid_of 'Dataplane PID')
expect "that is the dataplane" log_says "is back, .* end this process \(pid $dataplane\)"
kill -TERM "$dataplane"
taken() { [ "$(ctl -j show dataplane | jq -r '.ports[] | select(.interface == "outer2") | .up')" = true ]; }
PATIENCE=40 soon "the next one takes it" taken
PATIENCE=60 soon "b is back, over DTLS" user_has bert 'DTLS cipher' PSK
NETNS=$OTHER expect "and his packets cross" pings $INSIDE
