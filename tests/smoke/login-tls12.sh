#!/usr/bin/env bash
# A login over TLS 1.2, with each kind of server key; and then a tunnel.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway 10.99.0.1
#   TLS 1.2 only
. "$(dirname "$0")/lib.sh"
TLS12="NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-DTLS1.2"

# In the client's own words, which are GnuTLS's.
ciphersuite() { sed -n 's/.*Connected to HTTPS.*ciphersuite //p' "$WORK/$1.log" | tail -n 1; } # LABEL

network
for key in "rsa:2048" "ec -pkeyopt ec_paramgen_curve:P-256" "ec -pkeyopt ec_paramgen_curve:P-384" "ed25519"; do
  make_certificate $key
  gateway < /dev/null
  login key anna --no-dtls --gnutls-priority "$TLS12"
  expect "TLS 1.2 with a key of $key" same "$(user_field anna 'TLS ciphersuite')" "$(ciphersuite key)"
  leave key
  stop "$GATEWAY"
done

make_certificate rsa:2048
gateway < /dev/null
login client anna --gnutls-priority "$TLS12"
expect "openconnect speaks TLS 1.2" client_says client 'Connected to HTTPS.*\(TLS1\.2\)'
expect "show users tells it" user_has anna 'TLS ciphersuite' 'TLS1\.2'
soon "the DTLS channel comes up" client_on_dtls client
expect "pings cross the tunnel" pings $INSIDE
