#!/usr/bin/env bash
# Congestion that records meet on their way is told inside; the DSCP of packets is told outside, where that is wanted.
#
#   client 198.51.100.2 ── router: marks congestion, counts DSCP ── 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 198.51.100.2/24 "$ROUTER" west 198.51.100.1/24
ip -n "$SERVER" route add default via 192.0.2.254
ip -n "$CLIENT" route add default via 198.51.100.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1
in_ns "$ROUTER" nft -f - << NFT
table ip router {
  chain forward {
    type filter hook forward priority mangle
    udp sport 443 ip dscp ef counter
    udp dport 443 udp length > 200 ip ecn set ce
  }
}
NFT
in_ns "$SERVER" nft -f - << NFT
table ip inside { chain input { type filter hook input priority 0; iifname vpns0 ip ecn ce counter; }; }
NFT
counted() { in_ns "$1" nft list ruleset | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p' | head -n 1; } # NETNS

mkdir "$WORK/users"
printf '%s\n' 'copy-dscp = false' 'net-priority = 0x48' > "$WORK/users/bert"
echo 'net-priority = 5' > "$WORK/users/carl"
{ add_user anna anna-secret; add_user bert bert-secret; add_user carl carl-secret; } > /dev/null
gateway 192.0.2.1 << CONF
copy-dscp = true
config-per-user = $WORK/users
CONF
login client anna
soon "DTLS is up" client_on_dtls client
soon "both sides say so" user_has anna Channel DTLS

expect "pings that know ECN cross a congested router" pings -Q 2 -s 300 $INSIDE
expect "and arrive with a mark" same "$(counted "$SERVER")" 3
expect "which the gateway has carried over" same "$(counter ecn_marked)" 3
expect "pings that do not know it are lost, as on any congested way" never pings -Q 0 -s 300 -W 1 $INSIDE
expect "by that name" same "$(counter drop_ecn)" 3
expect "small ones meet no congestion" pings -Q 0xb8 -s 20 $INSIDE
expect "and their DSCP is on the answers' records" same "$(counted "$ROUTER")" 3

in_ns "$ROUTER" nft -f - << NFT
table ip classes { chain forward { type filter hook forward priority 0; udp sport 443 ip dscp af21 counter; }; }
NFT
marked() { in_ns "$ROUTER" nft list table ip classes | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }
expect "pings of hers without a DSCP are answered" pings -Q 0 -s 20 $INSIDE
expect "without one" same "$(marked)" 0
INTERFACE=tun1 login bert bert
soon "bert has DTLS" client_on_dtls bert
soon "the gateway says so, too" user_has bert Channel DTLS
before=$(marked)
expect "his pings, as small and unmarked" pings -I tun1 -Q 0 -s 20 $INSIDE
expect "are answered with his net-priority" more "$(marked)" $((before + 2))

# Over TLS the kernel sends, and is told.
in_ns "$SERVER" nft -f - << NFT
table ip queues { chain output { type filter hook output priority 0; tcp sport 443 ip dscp af21 counter; tcp sport 443 meta priority 0:5 counter; }; }
NFT
queued() { in_ns "$SERVER" nft list table ip queues | sed -n "s/.*$1 counter packets \([0-9]*\) .*/\1/p"; } # REGEX
leave bert
INTERFACE=tun1 login over_tls bert --no-dtls
before=$(queued 'dscp af21')
expect "pings over his TLS" pings -I tun1 -Q 0 -s 20 $INSIDE
expect "are answered with it, too" more "$(queued 'dscp af21')" $((before + 2))
expect "and nothing had a priority" same "$(queued '5')" 0
INTERFACE=tun2 login carl carl --no-dtls
expect "pings of one whose net-priority is a priority" pings -I tun2 -Q 0 -s 20 $INSIDE
expect "are answered with that" more "$(queued '5')" 2
