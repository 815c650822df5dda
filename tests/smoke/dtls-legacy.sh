#!/usr/bin/env bash
# DTLS as AnyConnect does it: the client chooses the master secret, and both resume a session that never was. openconnect does it
# where it may not negotiate a pre-shared key, or the gateway does not offer that.
#
#   client tun0 10.99.0.x ═══ DTLS, UDP 443 ═══ 192.0.2.1 gateway vpns0 10.99.0.1 ── iperf3 -s
. "$(dirname "$0")/lib.sh"

outwards=500
[ -z "${SANITIZED-}" ] || outwards=100 # then a file goes up alone, and how many acknowledgements come down is the kernel's to say
network
gateway < /dev/null
iperf_server

# One client after the other: the header with its suites, and what both sides say that came of it.
carries() { # LABEL OPTION DESCRIPTION
  login "$1" anna "$2"
  soon "DTLS is up with $2" client_on_dtls "$1"
  expect "openconnect says $3" client_says "$1" "Established DTLS connection.*$3"
  soon "show users says the same" user_has anna 'DTLS cipher' "^$3\$"
  expect "pings cross" pings $INSIDE
}
carries 256 --dtls-ciphers=OC-DTLS1_2-AES256-GCM "\(DTLS1\.2\)-\(RSA\)-\(AES-256-GCM\)"
opened=$(counter dtls_data_in) sealed=$(counter dtls_data_out)
SECONDS_OF_IPERF=1 expect "TCP and UDP run both ways" carries_traffic
expect "through the dataplane's DTLS inwards" more "$(counter dtls_data_in)" $((opened + 500))
expect "and outwards" more "$(counter dtls_data_out)" $((sealed + outwards))
leave 256
soon "the client has gone" nobody
carries 128 --dtls-ciphers=OC-DTLS1_2-AES128-GCM "\(DTLS1\.2\)-\(RSA\)-\(AES-128-GCM\)"
leave 128
soon "the client has gone" nobody
carries anyconnect --dtls12-ciphers=AES128-GCM-SHA256 "\(DTLS1\.2\)-\(RSA\)-\(AES-128-GCM\)"
leave anyconnect
soon "the client has gone" nobody
carries phone --dtls12-ciphers=ECDHE-RSA-AES256-GCM-SHA384 "\(DTLS1\.2\)-\(ECDHE-RSA\)-\(AES-256-GCM\)"
leave phone
soon "the client has gone" nobody

reload() { configure 192.0.2.1 && ctl reload; }
expect "the gateway may be told not to" reload <<< 'dtls-legacy = false'
login none anna --dtls-ciphers=OC-DTLS1_2-AES256-GCM
soon "then there is no DTLS" client_says none 'Set up UDP failed|No DTLS|Server offered no DTLS'
expect "pings cross over TLS" pings $INSIDE
leave none
soon "the client has gone" nobody
expect "or not to offer PSK-NEGOTIATE" reload <<< 'dtls-psk = false'
login both anna
soon "then openconnect does it by itself" client_on_dtls both
expect "with the cipher of its TLS" client_says both 'Established DTLS connection.*\(DTLS1\.2\)-\(ECDHE-RSA\)-\(AES-256-GCM\)'
expect "pings cross" pings $INSIDE
