#!/usr/bin/env bash
# AnyConnect's oldest DTLS, AES-CBC-SHA: Cisco's own version 0.9, and 1.2 by X-DTLS12-CipherSuite. Its records are the worker's, which
# gets them and sends them by way of the dataplane.
#
#   client 198.51.100.2 ══ DTLS ══╮                    ╭══ 192.0.2.1 gateway vpns0 10.99.0.1 ── iperf3 -s
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
dpd = 2
switch-to-tcp-timeout = 2
CONF
iperf_server
carries() { # LABEL OPTION DESCRIPTION
  login "$1" anna "$2"
  soon "DTLS is up with $2" client_on_dtls "$1"
  expect "openconnect says $3" client_says "$1" "Established DTLS connection.*$3"
  soon "show users says the same" user_has anna 'DTLS cipher' "^$3\$"
  expect "pings cross" pings $INSIDE
}
carries dtls12 --dtls12-ciphers=AES128-SHA '\(DTLS1\.2\)-\(RSA\)-\(AES-128-CBC\)-\(SHA1\)'
leave dtls12
soon "the client has gone" nobody
carries client --dtls-ciphers=AES256-SHA '\(DTLS0\.9\)-\(RSA\)-\(AES-256-CBC\)-\(SHA1\)'
punted=$(counter punt_record)
SECONDS_OF_IPERF=1 expect "TCP and UDP run both ways" carries_traffic
expect "by the worker's own records" more "$(counter punt_record)" $((punted + 500))
expect "large packets fit" pings -M "do" -s $((1390 - 28)) $INSIDE
expect "nothing was opened here" same "$(counter dtls_data_in)" 0

in_ns "$ROUTER" nft -f - << NFT
table inet broken { chain forward { type filter hook forward priority 0; udp dport 443 drop; udp sport 443 drop; }; }
NFT
PATIENCE=40 soon "without UDP, pings cross over TLS" answers $INSIDE
soon "the gateway says so" user_has anna Channel CSTP
in_ns "$ROUTER" nft delete table inet broken
PATIENCE=100 soon "and over DTLS again, later" user_has anna Channel DTLS
expect "pings cross" pings $INSIDE
