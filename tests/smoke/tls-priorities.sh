#!/usr/bin/env bash
# tls-priorities: what GnuTLS's words leave of TLS and DTLS, at each virtual host and after each reload; what is said of words that mean
# nothing here; and the cipher of TLS for DTLS where that is asked for.
#
#   client ════ 192.0.2.1 vpn.example    SECURE256 without TLS 1.3
#                         new.example    nothing but TLS 1.3
. "$(dirname "$0")/lib.sh"

# What s_client gets: version and suite, or nothing.
gets() { # [OPTION of s_client...]
  in_ns "$CLIENT" openssl s_client -connect 192.0.2.1:443 "$@" < /dev/null 2>&1 | sed -n 's/^New, \(TLSv[0-9.]*\), Cipher is \(.*\)/\1 \2/p'
}
reload() { configure 192.0.2.1 && ctl reload; }
says() { has "$WORK/gateway.log" "$1"; }

network
make_certificate rsa:2048
gateway << 'CONF'
tls-priorities = "SECURE256:%SERVER_PRECEDENCE:%COMPAT:-VERS-TLS1.3:+VERS-TLS1.1"
[vhost:new.example]
tls-priorities = "NORMAL:-VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM:%SERVER_PRECEDENCE"
CONF
expect "a word without counterpart is said to be one, with its line" says \
  'penstock.conf:[0-9]+: tls-priorities: \+VERS-TLS1\.1 has no effect: only TLS 1\.2 and 1\.3'
expect "TLS 1.2 is spoken, with AES-256" same "$(gets -tls1_2)" 'TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384'
expect "but not with AES-128" same "$(gets -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256)" ''
expect "nor over a curve of 256 bits" same "$(gets -groups P-256)" ''
expect "nor TLS 1.3" same "$(gets -tls1_3)" ''
expect "at new.example it is" same "$(gets -servername new.example)" 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256'
expect "but not by AES-256" same "$(gets -servername new.example -ciphersuites TLS_AES_256_GCM_SHA384)" ''
expect "and TLS 1.2 is not" same "$(gets -servername new.example -tls1_2)" ''

login client anna
expect "openconnect comes by TLS 1.2" user_has anna 'TLS ciphersuite' '^\(TLS1\.2\).*\(AES-256-GCM\)$'
soon "and has DTLS with the same strength" user_has anna 'DTLS cipher' '^\(DTLS1\.2\)-\(PSK\)-\(AES-256-GCM\)$'
leave client
soon "it leaves" nobody
login old anna --dtls-ciphers=OC-DTLS1_2-AES128-GCM
soon "a client whose DTLS is weaker has none" client_says old 'Set up UDP failed|No DTLS|Server offered no DTLS'
leave old
soon "it leaves" nobody

session() { in_ns "$CLIENT" openssl s_client -connect 192.0.2.1:443 -tls1_2 "$@" < /dev/null 2>&1 | sed -n 's/^\(New\|Reused\), TLS.*/\1/p'; }
expect "a TLS session" same "$(session -sess_out "$WORK/tls.session")" New
expect "is resumed" same "$(session -sess_in "$WORK/tls.session")" Reused
expect "a reload without its suite" reload <<< 'tls-priorities = "NORMAL:-AES-256-GCM"'
expect "ends that" same "$(session -sess_in "$WORK/tls.session")" New

expect "a reload" reload <<< 'tls-priorities = "PERFORMANCE:%SERVER_PRECEDENCE"'
expect "changes it: AES-128 before AES-256" same "$(gets)" 'TLSv1.3 TLS_AES_128_GCM_SHA256'
expect "in TLS 1.2, too" same "$(gets -tls1_2)" 'TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256'
expect "another" reload <<< 'tls-priorities = "NORMAL:-GROUP-ALL:+GROUP-X448"'
expect "leaves one group" same "$(gets -groups X25519)" ''
expect "that does it" matches "$(gets -groups X25519:X448 -ciphersuites TLS_AES_128_GCM_SHA256)" 'TLSv1.3 TLS_AES_128'

expect "the cipher of TLS for DTLS" reload << 'CONF'
match-tls-dtls-ciphers = true
dtls-legacy = false
CONF
login match anna --gnutls-priority NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM
soon "DTLS is up" client_on_dtls match
expect "with that of TLS" same "$(user_field anna 'DTLS cipher' | sed 's/.*-(//')" "$(user_field anna 'TLS ciphersuite' | sed 's/.*-(//')"

refused() { never ctl reload && says "$1"; } # REGEX
configure 192.0.2.1 <<< 'tls-priorities = "NORMAL:+AES-256-GMC"'
expect "a misspelt word is refused, and corrected" refused "tls-priorities: '\+AES-256-GMC' is no word.*did you mean \+AES-256-GCM\?"
configure 192.0.2.1 <<< 'tls-priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.1"'
expect "so is what leaves nothing" refused 'tls-priorities: it leaves no version of TLS'
configure 192.0.2.1 <<< 'tls-priorities = "SUITEB192"'
expect "or nothing for the server's key" refused 'tls-priorities: it leaves nothing that the keys of the server can be used with'
configure 192.0.2.1 <<< 'match-tls-dtls-ciphers = true'
expect "and DTLS's cipher cannot be TLS's where clients bring their own" refused 'match-tls-dtls-ciphers: it cannot be together with dtls-legacy'
expect "what was in force stays so" user_has anna State connected
