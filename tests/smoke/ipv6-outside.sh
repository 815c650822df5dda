#!/usr/bin/env bash
# The tunnel itself over IPv6.
#
#   client 2001:db8::2 ═══ DTLS over IPv6 ═══ 2001:db8::1 gateway vpns0 10.99.0.1 ── iperf3 -s
. "$(dirname "$0")/lib.sh"
HOST='[2001:db8::1]'

network
gateway 2001:db8::1 < /dev/null
iperf_server
login client anna
soon "DTLS is up over IPv6" client_on_dtls client
expect "the client comes from its IPv6 address" user_has anna 'Remote IP' '^2001:db8::2$'
expect "pings cross" pings $INSIDE
expect "TCP and UDP run both ways" carries_traffic
