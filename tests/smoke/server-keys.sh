#!/usr/bin/env bash
# The server's keys: of several, each client gets one that it can take, OpenSSL's and GnuTLS's alike, with an OCSP response beside it; one
# is encrypted, one is in a token. A reload brings new ones, and nobody is dropped.
#
#   openconnect, openssl, gnutls-cli ════ 192.0.2.1 gateway: ECDSA, RSA (encrypted), Ed25519 (SoftHSM), RSA-PSS
. "$(dirname "$0")/lib.sh"

PIN_OF_KEYS=47114711
network
pair() { # NAME REQUEST...
  local name=$1
  shift
  openssl req -x509 -newkey "$@" -nodes -days 2 -subj "/CN=$name" -keyout "$WORK/$name.key" -out "$WORK/$name.pem" 2>> "$WORK/openssl.log"
}
make_certificate # ECDSA
pair rsa rsa:2048
openssl pkey -in "$WORK/rsa.key" -aes256 -passout pass:$PIN_OF_KEYS -out "$WORK/rsa.locked"
pair ed25519 ed25519
pair pss rsa-pss -pkeyopt rsa_keygen_bits:2048

export SOFTHSM2_CONF=$WORK/softhsm2.conf
mkdir "$WORK/tokens"
printf 'directories.tokendir = %s/tokens\nlog.level = ERROR\n' "$WORK" > "$SOFTHSM2_CONF"
{
  softhsm2-util --init-token --free --label gateway --pin $PIN_OF_KEYS --so-pin 12345678
  softhsm2-util --import "$WORK/ed25519.key" --token gateway --label server --id 01 --pin $PIN_OF_KEYS
} > "$WORK/softhsm.log" 2>&1

# As a responder would say it, for DAYS to come.
staple() { # CERTIFICATE KEY DAYS FILE
  printf 'V\t351231000000Z\t\t%s\tunknown\t/CN=x\n' "$(openssl x509 -in "$1" -noout -serial | cut -d= -f2)" > "$WORK/index"
  openssl ocsp -index "$WORK/index" -rsigner "$1" -rkey "$2" -CA "$1" -issuer "$1" -ndays "$3" -respout "$4" \
    -serial "0x$(openssl x509 -in "$1" -noout -serial | cut -d= -f2)" >> "$WORK/ocsp.log" 2>&1
}
staple "$WORK/cert.pem" "$WORK/key.pem" 2 "$WORK/ecdsa.ocsp"
echo rubbish > "$WORK/rsa.ocsp"

gateway << CONF
server-cert = $WORK/rsa.pem
server-key = $WORK/rsa.locked
server-cert = $WORK/ed25519.pem
server-key = pkcs11:token=gateway;object=server
server-cert = $WORK/pss.pem
server-key = $WORK/pss.key
key-pin = $PIN_OF_KEYS
ocsp-response = $WORK/ecdsa.ocsp
ocsp-response = $WORK/rsa.ocsp
CONF
expect "an OCSP response that is none is warned of" has "$WORK/gateway.log" "ocsp-response $WORK/rsa.ocsp: it is no OCSP response"

shown_to() { # OPTION of s_client...
  in_ns "$CLIENT" openssl s_client -connect 192.0.2.1:443 "$@" < /dev/null 2>> "$WORK/s_client.log"
}
key_for() { shown_to "$@" | openssl x509 -noout -subject 2>> "$WORK/s_client.log"; }
for version in -tls1_2 -tls1_3; do
  expect "ECDSA ($version)" same "$(key_for $version -sigalgs ECDSA+SHA256)" 'subject=CN = vpn.example'
  expect "RSA" same "$(key_for $version -sigalgs rsa_pss_rsae_sha256)" 'subject=CN = rsa'
  expect "Ed25519" same "$(key_for $version -sigalgs ed25519)" 'subject=CN = ed25519'
  expect "RSA-PSS" same "$(key_for $version -sigalgs rsa_pss_pss_sha256)" 'subject=CN = pss'
done
expect "RSA by PKCS #1" same "$(key_for -tls1_2 -sigalgs RSA+SHA512)" 'subject=CN = rsa'
expect "a client that knows no other is refused" never key_for -tls1_3 -sigalgs ECDSA+SHA512

gnutls_subject() { # PRIORITY
  in_ns "$CLIENT" timeout 10 gnutls-cli --insecure --priority "$1" -p 443 192.0.2.1 < /dev/null 2>> "$WORK/gnutls.log" | sed -n "s/^ - subject .\(CN=[^']*\)'.*/\1/p"
}
expect "GnuTLS: ECDSA" same "$(gnutls_subject NORMAL:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256)" CN=vpn.example
expect "RSA" same "$(gnutls_subject NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256)" CN=rsa
expect "Ed25519" same "$(gnutls_subject NORMAL:-SIGN-ALL:+SIGN-EDDSA-ED25519)" CN=ed25519

expect "the response comes with its certificate" matches "$(shown_to -status -sigalgs ECDSA+SHA256)" 'Cert Status: good'
expect "and with no other" matches "$(shown_to -status -sigalgs rsa_pss_rsae_sha256)" 'OCSP response: no response sent'

login client anna
soon "DTLS is up" client_on_dtls client
start ping ip netns exec "$CLIENT" ping -I tun0 -i 0.05 -D $INSIDE
pinger=$pid
make_certificate
pair rsa rsa:3072
cp "$WORK/rsa.key" "$WORK/rsa.locked"
staple "$WORK/cert.pem" "$WORK/key.pem" 2 "$WORK/ecdsa.ocsp"
fingerprint() { openssl x509 -noout -fingerprint -sha256; }
expect "a reload takes new keys" ctl reload
expect "clients get the new one" same "$(shown_to -sigalgs ECDSA+SHA256 | fingerprint)" "$(fingerprint < "$WORK/cert.pem")"
expect "with its new response" matches "$(shown_to -status -sigalgs ECDSA+SHA256)" 'Cert Status: good'
expect "and the new RSA one" same "$(shown_to -sigalgs rsa_pss_rsae_sha256 | fingerprint)" "$(fingerprint < "$WORK/rsa.pem")"
INTERFACE=tun1 login second bert
expect "anna was never disconnected" user_has anna State connected
kill -INT "$pinger"
soon "the pings have ended" gone "$pinger"
no_gap() { awk '/icmp_seq=/ { sub(/.*icmp_seq=/, ""); if ($1 + 0 != last + 1) exit 1; last++ } END { exit last < 5 }' "$WORK/ping.log"; }
expect "and no packet of hers was lost" no_gap

sed -i "s/^key-pin = .*/key-pin = wrong0000/" "$CONFIG"
expect "a wrong PIN is refused" matches "$(ctl reload 2>&1 || :)" 'pkcs11:token=gateway;object=server: the token refuses the PIN'
expect "and penstockd -t names its line" matches "$("$BIN/penstockd" -t -c "$CONFIG" 2>&1 || :)" "$CONFIG:[0-9]+: server-key: pkcs11:.*PIN"
expect "the old keys stay" same "$(key_for -tls1_3 -sigalgs ed25519)" 'subject=CN = ed25519'
