#!/usr/bin/env bash
# A Cisco IP phone: GET /svc, a form with user and password, CONNECT with the cookie, DTLS with the cipher of its TLS. curl plays its
# login and openconnect, under the phone's name, its tunnel. And AnyConnect: one form for user
# and password, and the texts that it asks for before its login.
#
#   phone 192.0.2.2 tun0 10.99.0.x ═══ 192.0.2.1 gateway vpns0 10.99.0.1; plain.example, a virtual host for AnyConnect
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
cisco-svc-client-compat = true
dtls-legacy = false
[vhost:plain.example]
cisco-svc-client-compat = false
cisco-client-compat = true
CONF

PHONE='Cisco SVC IPPhone Client v1.0'
ask() { in_ns "$CLIENT" curl -sk -i --max-time 10 -A "$PHONE" --resolve plain.example:443:192.0.2.1 "$@" | tr -d '\r'; }
ask https://192.0.2.1/svc > "$WORK/answer"
expect "the phone is told to log in" has "$WORK/answer" '^Set-Cookie: webvpnlogin=1; Secure$'
expect "in an answer without a body" has "$WORK/answer" '^Content-Length: 0$'
expect "a wrong password is refused" has <(ask -d 'username=anna&password=wrong&Login=Login' https://192.0.2.1/svc) '^HTTP/1.1 401 '
expect "elsewhere there are no phones" has <(ask https://plain.example/svc) '^HTTP/1.1 404 '

ask -b webvpnlogin=1 -d 'username=anna&password=anna-secret&Login=Login' https://192.0.2.1/svc > "$WORK/answer"
cookie=$(sed -n 's/^Set-Cookie: webvpn=\([^;]*\);.*/\1/p' "$WORK/answer")
expect "the right one brings a cookie" matches "$cookie" '^.{44}$'
TLS12='NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL'
login_with_cookie phone "webvpn=$cookie" --useragent "$PHONE" --gnutls-priority="$TLS12:+AES-256-GCM" --dtls12-ciphers=ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384
expect "the cookie opens the tunnel" pings "$INSIDE"
soon "DTLS is up" client_on_dtls phone
expect "with the cipher of TLS" user_has anna 'DTLS cipher' '\(ECDHE-RSA\)-\(AES-256-GCM\)'
leave phone
soon "the phone has gone" nobody
cookie=$(ask -d 'username=anna&password=anna-secret' https://192.0.2.1/svc | sed -n 's/^Set-Cookie: webvpn=\([^;]*\);.*/\1/p')
login_with_cookie other "webvpn=$cookie" --useragent "$PHONE" --gnutls-priority="$TLS12:+AES-128-GCM" --dtls12-ciphers=ECDHE-RSA-AES256-GCM-SHA384
expect "or with none" pings "$INSIDE"
expect "as it would take no other" never client_says other 'X-DTLS-Session-ID'

expect "AnyConnect answers user and password at once" matches \
  "$(HOST=plain.example get_cookie anna anna-secret --resolve plain.example:192.0.2.1 --useragent 'AnyConnect Linux_64 4.10' -v)" '.{40,}'
expect "as the form asks for them" has "$WORK/authenticate.log" 'Please enter your username and password'
for path in /1/VPNManifest.xml /+CSCOT+/translation-table /1/binaries/update.txt /1/binaries/vpndownloader.sh /1/Linux_64 /logout; do
  expect "AnyConnect finds $path" has <(ask "https://192.0.2.1$path") '^HTTP/1.1 200 OK'
done
expect "a probe that reads heads only gets one" has <(ask -I https://192.0.2.1/) '^HTTP/1.1 200 OK'
