#!/usr/bin/env bash
# net_af_xdp as the outer port: DTLS takes the short way, TLS and all else go to the kernel as before.
#
#   client ════ 192.0.2.1 eth0 ─┬─ XDP: UDP 443 ─── gateway's dataplane
#                               └─ kernel: TCP 443, ARP, pings
. "$(dirname "$0")/lib.sh"

network
outer=$(ip -n "$SERVER" -o -4 addr show | awk '/192\.0\.2\.1/ { print $2 }')
gateway << CONF
outer = net_af_xdp0,iface=$outer
CONF
login client anna
soon "DTLS is up" client_on_dtls client
expect "pings cross" pings $INSIDE
iperf_server
expect "TCP and UDP run both ways" carries_traffic
expect "the port says what it carried" more "$(counter outer_rx)" 1000
expect "the kernel still answers outside" in_ns "$CLIENT" ping -c 1 -W 2 192.0.2.1
leave client
soon "the client has gone" nobody
