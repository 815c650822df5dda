#!/usr/bin/env bash
# UDP stops working and comes back: packets go over TLS meanwhile, and over DTLS again after a second handshake.
#
#   client 198.51.100.2 ══ DTLS ══╮                    ╭══ 192.0.2.1 gateway vpns0 10.99.0.1
#                                 ╪ router: nft drops  │
#                       ══ TLS ═══╪════════════════════╯
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 198.51.100.2/24 "$ROUTER" west 198.51.100.1/24
ip -n "$SERVER" route add default via 192.0.2.254
ip -n "$CLIENT" route add default via 198.51.100.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1

gateway 192.0.2.1 << CONF
dpd = 3
switch-to-tcp-timeout = 3
CONF
login client anna
soon "DTLS is up" client_on_dtls client
expect "pings cross" pings $INSIDE
handshakes=$(counter punt_hello)

in_ns "$ROUTER" nft -f - << NFT
table inet broken { chain forward { type filter hook forward priority 0; udp dport 443 drop; udp sport 443 drop; }; }
NFT
PATIENCE=40 soon "pings cross over TLS" answers $INSIDE
soon "the gateway says so" user_has anna Channel CSTP
expect "and names no DTLS cipher" same "$(user_field anna 'DTLS cipher')" ''
expect "several of them" pings $INSIDE

in_ns "$ROUTER" nft delete table inet broken
PATIENCE=100 soon "the gateway is back on DTLS" user_has anna Channel DTLS
expect "with a cipher again" user_has anna 'DTLS cipher' 'DTLS1.2'
expect "after a second handshake" more "$(counter punt_hello)" "$handshakes"
before=$(counter dtls_data_in)
expect "pings cross" pings $INSIDE
expect "over DTLS" more "$(counter dtls_data_in)" "$before"
