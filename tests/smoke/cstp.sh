#!/usr/bin/env bash
# The tunnel without UDP: everything inside TLS.
#
#   client tun0 10.99.0.x ═══ TLS, TCP 443 ═══ 192.0.2.1 gateway vpns0 10.99.0.1 ── iperf3 -s
#   --no-dtls
. "$(dirname "$0")/lib.sh"

network
gateway < /dev/null
iperf_server
login client anna --no-dtls
expect "pings cross" pings $INSIDE
expect "TCP and UDP run both ways" carries_traffic
knows_latency() { more "$(ctl -j show status | jq .raw_median_latency)" 100 && more "$(ctl -j show status | jq .raw_stdev_latency)" 100; }
soon "the gateway knows how long a packet takes" knows_latency
expect "which it tells people" matches "$(ctl show status)" 'Median latency: [0-9.]+ us'
expect "there is no DTLS cipher" same "$(user_field anna 'DTLS cipher')" ''
expect "no record came over UDP" same "$(counter dtls_data_in)" 0
leave client
soon "the client has gone" nobody
