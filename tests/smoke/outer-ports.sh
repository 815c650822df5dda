#!/usr/bin/env bash
# Several outer interfaces at once, each with a client of its own, over IPv4 and IPv6.
#
#   client a 192.0.2.2    ════ outer  192.0.2.1    ╮
#                                                  ├ gateway vpns0 10.99.0.1
#   client b 2001:db8:b::2 ════ outer2 2001:db8:b::1 ╯
. "$(dirname "$0")/lib.sh"
OTHER=$NAME-b

network
forwarding
add_netns "$OTHER"
add_link "$SERVER" outer2 203.0.113.1/24,2001:db8:b::1/64 "$OTHER" eth0 203.0.113.2/24,2001:db8:b::2/64
gateway 192.0.2.1 203.0.113.1 2001:db8:b::1 < /dev/null
expect "the dataplane has a port on both" same "$(ctl -j show dataplane | jq '[.ports[] | select(.role == "outer")] | length')" 2

login a anna
NETNS=$OTHER HOST='[2001:db8:b::1]' login b bert
soon "DTLS over the first" client_on_dtls a
soon "DTLS over the second" client_on_dtls b
expect "pings cross from a" pings $INSIDE
NETNS=$OTHER expect "and from b" pings $INSIDE
expect "a and b reach each other through the gateway" pings "$(given b INTERNAL_IP4_ADDRESS)"
