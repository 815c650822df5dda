#!/usr/bin/env bash
# Dead peer detection on both channels: a client that UDP no longer reaches is asked there and then carried on over TCP; it is no
# dead client. A client that has nothing to say is none either.
#
#   client 198.51.100.2 ══ DTLS ══╮                    ╭══ 192.0.2.1 gateway, dpd = 2
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
in_ns "$CLIENT" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # or its kernel has something to say over the tunnel by itself

gateway 192.0.2.1 << CONF
dpd = 2
mobile-dpd = 700
idle-timeout = 800
mobile-idle-timeout = 900
switch-to-tcp-timeout = 0
CONF
login client anna
soon "DTLS is up" client_on_dtls client
soon "the gateway says why" user_has anna "Channel reason" "handshake"
expect "the client was told the times" client_says client 'X-DTLS-DPD: 2'
expect "both of them" client_says client 'X-CSTP-Idle-Timeout: 800'
connected=$(user_field anna raw_connected_at)

in_ns "$ROUTER" nft -f - << NFT
table inet broken { chain forward { type filter hook forward priority 0; udp dport 443 drop; udp sport 443 drop; }; }
NFT
PATIENCE=20 soon "UDP is given up" user_has anna Channel CSTP
expect "the operator sees why" user_has anna "Channel reason" "dead peer detection"
expect "so does the log" has "$WORK/gateway.log" "'anna' is on CSTP .*dead peer detection"
expect "after questions" more "$(counter dtls_dpd_asked)" 1
expect "pings cross over TLS" pings $INSIDE
expect "in the same connection" same "$(user_field anna raw_connected_at)" "$connected"

in_ns "$ROUTER" nft delete table inet broken
PATIENCE=100 soon "DTLS comes back" user_has anna Channel DTLS
expect "pings cross" pings $INSIDE
expect "still in the same connection" same "$(user_field anna raw_connected_at)" "$connected"
leave client
soon "the client has gone" nobody

login mobile anna --os=android
expect "a mobile client is asked more seldom" client_says mobile 'X-CSTP-DPD: 700'
expect "and may be idle for longer" client_says mobile 'X-CSTP-Idle-Timeout: 900'
soon "as the operator sees" user_has anna DPD 700
