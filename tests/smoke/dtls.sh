#!/usr/bin/env bash
# The tunnel over DTLS: ping, TCP and UDP both ways, with each cipher.
#
#   client tun0 10.99.0.x ═══ DTLS, UDP 443 ═══ 192.0.2.1 gateway vpns0 10.99.0.1 ── iperf3 -s
. "$(dirname "$0")/lib.sh"

outwards=1000
[ -z "${SANITIZED-}" ] || outwards=100 # then a file goes up alone, and how many acknowledgements come down is the kernel's to say
network
gateway < /dev/null
iperf_server
for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
  login "$cipher" anna --gnutls-priority "NORMAL:-CIPHER-ALL:+$cipher"
  soon "DTLS with $cipher" client_on_dtls "$cipher"
  expect "openconnect says $cipher" client_says "$cipher" "Established DTLS connection.*\(DTLS1\.2\)-\(PSK\)-\($cipher\)"
  soon "show users says the same" user_has anna 'DTLS cipher' "^\(DTLS1\.2\)-\(PSK\)-\($cipher\)$"
  expect "pings cross" pings $INSIDE
  opened=$(counter dtls_data_in) sealed=$(counter dtls_data_out)
  expect "TCP and UDP run both ways" carries_traffic
  expect "through the dataplane's DTLS inwards" more "$(counter dtls_data_in)" $((opened + 1000))
  expect "and outwards" more "$(counter dtls_data_out)" $((sealed + outwards))
  leave "$cipher"
  soon "the client has gone" nobody
done
