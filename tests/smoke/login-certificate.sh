#!/usr/bin/env bash
# Logins by the client's certificate alone; and who does not get in by it.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway 10.99.0.1
#   (its certificate is from "acme"; "other" is somebody else's authority)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/pki.sh"
TLS12="NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-DTLS1.2"

network
make_authority acme
make_authority other
make_client acme anna "/OU=staff/OU=admins/CN=Anna/UID=anna"
make_client acme rsa "/UID=anna" 30 rsa:2048
make_client acme bert "/UID=bert"
make_client acme late "/UID=anna" -1
EXTENSIONS=extendedKeyUsage=serverAuth make_client acme server "/UID=anna"
EXTENSIONS=basicConstraints=CA:FALSE make_client acme nothing "/UID=anna"
make_client acme nameless "/CN=Anna"
make_client acme path "/UID=..\/anna"
make_client other stranger "/UID=anna"

AUTH=certificate gateway < <(certificates acme)
login client nobody $(shows anna)
expect "anna's certificate lets anna in" same "$(user_field anna Username)" anna
expect "as one of its first group" same "$(user_field anna Groupname)" staff
expect "over TLS 1.3" user_has anna 'TLS ciphersuite' 'TLS1\.3'
soon "with DTLS" client_on_dtls client
expect "pings cross the tunnel" pings $INSIDE
expect "show sessions tells it" same "$(ctl -j show sessions | jq -c '[.[] | .tls_auth_ok]')" '[true]'
leave client
login rsa nobody $(shows rsa) --gnutls-priority "$TLS12"
expect "an RSA key does over TLS 1.2" user_has anna 'TLS ciphersuite' 'TLS1\.2'
leave rsa

refused() { same "$(get_cookie anna anna-secret $(shows "$1"))" ''; }
log_says() { has "$WORK/gateway.log" "$1"; }
expect "nobody without one" same "$(get_cookie anna anna-secret)" ''
expect "for TLS refuses who shows none" has "$WORK/authenticate.log" 'TLS fatal alert has been received'
while read -r who why; do
  expect "not $who" refused "$who"
  soon "and the log says why" log_says "certificate is refused: $why"
done << WHO
late certificate has expired
server unsuitable certificate purpose
nothing it is not for clients
nameless its subject has no attribute of cert-user-oid
path a name in it has characters
stranger unable to get local issuer certificate
WHO
expect "they are counted" more "$(ctl -j show status | jq '."Authentication failures"')" 5
expect "but banned is nobody" same "$(ctl -j show ip bans | jq length)" 0
expect "a cookie for anna" matches "$(get_cookie anna x $(shows anna))" '.{40,}'
revoke acme anna
expect "and none since hers is revoked" refused anna
expect "bert's is not" matches "$(get_cookie bert x $(shows bert))" '.{40,}'

# AnyConnect begins without a certificate.
AUTH=certificate configure 192.0.2.1 2001:db8::1 < <(certificates acme; echo cisco-client-compat = true)
expect "with cisco-client-compat" ctl reload
without_one() { tls_open; http_post / "$(init_xml)"; }
expect "who has shown none has a handshake, and is asked in XML" matches "$(without_one)" '<client-cert-request>'
expect "openconnect, which has none, says so and is refused" same "$(get_cookie bert x -v)" ''
expect "after it was asked" has "$WORK/authenticate.log" 'Server requested SSL client certificate; none was configured'
expect "and bert is let in" matches "$(get_cookie bert x $(shows bert))" '.{40,}'
