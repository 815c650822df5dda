#!/usr/bin/env bash
# Packets from one client to another: the kernel's by default, from tunnel to tunnel without it, or dropped; over DTLS and TLS.
#
#   anna  tun0 10.99.0.a ═══ DTLS ═╮
#                                  ├ gateway vpns0 10.99.0.1
#   bert  tun0 10.99.0.b ═══ TLS ══╯
. "$(dirname "$0")/lib.sh"
BERT=$NAME-b

network
add_netns "$BERT"
add_link "$SERVER" outer2 203.0.113.1/24 "$BERT" eth0 203.0.113.2/24

adds_up() { ctl -j show dataplane | jq -e '."packets in" == ."packets out" + ."packets dropped"' > /dev/null; }
not_forwarding() { in_ns "$SERVER" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0; }
now() { sed -i "s/^client-to-client = .*/client-to-client = $1/" "$CONFIG" && ctl reload; } # MODE

forwarding
gateway 192.0.2.1 203.0.113.1 << CONF
client-to-client = kernel
ipv6-network = fd99::/64
route = fd99::/64
CONF
login anna anna
NETNS=$BERT HOST=203.0.113.1 login bert bert --no-dtls
soon "anna has DTLS" client_on_dtls anna
a4=$(given anna INTERNAL_IP4_ADDRESS) b4=$(given bert INTERNAL_IP4_ADDRESS) b6=$(user_field bert IPv6)

expect "anna reaches bert" pings "$b4"
expect "because the kernel forwards" same "$(counter client_to_client)" 0
not_forwarding
expect "and not when it does not" never answers "$b4"

expect "from now on direct" now direct
expect "anna reaches bert without the kernel" pings "$b4"
expect "over IPv6 too" pings "$b6"
NETNS=$BERT expect "and bert reaches anna" pings -s 1300 "$a4"
expect "packet by packet, there and back" more "$(counter client_to_client)" 17
expect "it is one hop" never answers -t 1 "$b4"
expect "which has its counter" more "$(counter drop_ttl)" 0
expect "the gateway is where it was" pings $INSIDE
soon "what came in is what went out" adds_up

expect "from now on not at all" now deny
expect "anna does not reach bert" never answers "$b4"
NETNS=$BERT expect "nor bert anna" never answers "$a4"
soon "both packets were dropped by name" eval 'more "$(counter drop_client_to_client)" 1'
expect "the gateway is where it was" pings $INSIDE
soon "what came in is what went out" adds_up
