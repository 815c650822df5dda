#!/usr/bin/env bash
# A path that swallows large datagrams and says nothing: the client finds out how much gets through, by probes that come back as they
# were.
#
#   client 198.51.100.2 ── router: loses datagrams of more than 1100 bytes ── 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 198.51.100.2/24 "$ROUTER" west 198.51.100.1/24
ip -n "$SERVER" route add default via 192.0.2.254
ip -n "$CLIENT" route add default via 198.51.100.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1
in_ns "$ROUTER" nft -f - << NFT
table ip hole {
  counter whole { }
  counter parts { }
  chain forward {
    type filter hook forward priority 0
    udp sport 443 ip frag-off & 0x4000 != 0 counter name whole
    udp sport 443 ip frag-off & 0x4000 == 0 counter name parts
    udp length > 1108 drop
  }
}
NFT
ip -n "$SERVER" link set outer gso_max_segs 1 # the router is to see the datagrams that a wire would carry
gateway 192.0.2.1 <<< "try-mtu-discovery = true"
login client anna
soon "DTLS is up" client_on_dtls client
# A datagram of 1100 bytes: record header, nonce, tag, type, and a packet.
expect "the client has found out what gets through" client_says client "Detected MTU of $((1100 - 13 - 8 - 16 - 1)) bytes"
answered=$(counter dtls_dpd_answered)
expect "by probes that the gateway has answered" more "$answered" 2
expect "a packet of that size crosses" pings -M "do" -s $((1062 - 28)) $INSIDE
SECONDS_OF_IPERF=1
iperf_server
expect "TCP runs" more "$(megabits)" 1
expect "both ways" more "$(megabits -R)" 1
seen() { in_ns "$ROUTER" nft list counter ip hole "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
expect "no router may cut what the gateway sends" test "$(seen whole)" -gt 0 -a "$(seen parts)" -eq 0
expect "over DTLS" user_has anna Channel DTLS
