#!/usr/bin/env bash
# The client's certificate beside a password: both are needed, or one of them; and server keys whose signatures are the same each time.
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
make_client acme bert "/UID=bert"
make_client other stranger "/UID=anna"
with_auth() { gateway < <(certificates acme; printf '%s\n' "$@"); } # LINE...

# ---------------------------------------------------------------------------------------------- a certificate and a password
with_auth 'auth = certificate'
login client anna $(shows anna)
expect "anna has both" same "$(user_field anna Groupname)" staff
leave client
expect "the password alone is not enough" same "$(get_cookie anna anna-secret)" ''
expect "nor the certificate with a wrong one" same "$(get_cookie anna wrong $(shows anna))" ''
expect "nor somebody else's certificate" same "$(get_cookie anna anna-secret $(shows bert))" ''
stop "$GATEWAY"

# ---------------------------------------------------------- server keys whose signatures say nothing of when they were made
make_certificate rsa:2048
with_auth 'enable-auth = certificate'
PKCS1="$TLS12:-SIGN-RSA-PSS-RSAE-SHA256:-SIGN-RSA-PSS-RSAE-SHA384:-SIGN-RSA-PSS-RSAE-SHA512"
expect "RSA by PKCS #1 in TLS 1.2" matches "$(get_cookie x x $(shows anna) --gnutls-priority "$PKCS1")" '.{40,}'
stop "$GATEWAY"
make_certificate ed25519

# ------------------------------------------------------------------------------------------------- a certificate or a password
with_auth 'enable-auth = certificate'
expect "Ed25519: the certificate will do" matches "$(get_cookie nobody x $(shows anna))" '.{40,}'
expect "so will the password" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "and the password with a certificate that does not count" matches "$(get_cookie anna anna-secret $(shows stranger))" '.{40,}'
