#!/usr/bin/env bash
# IPv6 inside the tunnel, beside IPv4, over DTLS and over TLS.
#
#   client tun0 fd99::x ═══ IPv4 ═══ 192.0.2.1 gateway vpns0 fd99::1 ── iperf3 -s
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
route = fd99::/64
CONF
iperf_server

# Who has no IPv6 address has no use for what else there is of it, and the operator sees what the client was told.
routes() { ctl -j show user anna | jq -r '.[0].Routes | join(" ")'; }
login ipv4 anna --no-dtls --disable-ipv6
expect "without IPv6 there is no route of it" same "$(routes)" 10.99.0.0/24
expect "for the client either" never client_says ipv4 'Split-Include-IP6'
leave ipv4
soon "the client has gone" nobody

for mode in dtls no-dtls; do
  # shellcheck disable=SC2046
  login $mode anna $([ $mode = dtls ] || echo --no-dtls)
  [ $mode != dtls ] || soon "DTLS is up" client_on_dtls $mode
  expect "the client has both kinds of address ($mode)" user_has anna IPv6 '^fd99::'
  expect "and routes" matches "$(routes)" 'fd99::/64'
  expect "IPv6 crosses the tunnel" pings fd99::1
  expect "and IPv4" pings $INSIDE
  TO=fd99::1 expect "TCP and UDP run both ways over IPv6" carries_traffic
  leave $mode
  soon "the client has gone" nobody
done
