#!/usr/bin/env bash
# Camouflage: to strangers a web server, to who knows the secret a gateway; for each virtual host by itself.
#
#   curl, openconnect 192.0.2.2 ════ 192.0.2.1 gateway ── hidden, with a realm; open.example, which is not; none.example, without one
. "$(dirname "$0")/lib.sh"

network
printf 'anna-secret\n' | "$BIN/penstock-passwd" -c "$WORK/passwd" -g guests anna
gateway 192.0.2.1 << CONF
camouflage = true
camouflage_secret = "open-sesame"
camouflage_realm = "Restricted Content"
select-group-by-url = true
select-group = guests
[vhost:open.example]
camouflage = false
[vhost:none.example]
camouflage_realm = ""
CONF

# Status line and headers of an answer, and its body.
ask() { in_ns "$CLIENT" curl -sk -i --max-time 10 "$@"; }
status() { ask "$@" | sed -n '1s/\r$//p'; }
URL=https://192.0.2.1

expect "a browser is asked for a password" same "$(status $URL/)" 'HTTP/1.1 401 Unauthorized'
expect "with the realm" matches "$(ask $URL/)" 'WWW-Authenticate: Basic realm="Restricted Content"'
expect "which no password satisfies" same "$(status -u anna:anna-secret $URL/)" 'HTTP/1.1 401 Unauthorized'
expect "nor a wrong secret" same "$(status "$URL/?open-sesam")" 'HTTP/1.1 401 Unauthorized'
for what in "-I $URL/" "$URL/auth" "$URL/guests" "$URL/1/index.html" "-d user=anna $URL/" "-d @$WORK/cert.pem -H Expect: $URL/auth" "-X PUT -d x $URL/" "-X OPTIONS $URL/"; do
  expect "curl $what is answered like that" same "$(status $what)" 'HTTP/1.1 401 Unauthorized'
done
expect "no header or word tells what this is" never has <(ask $URL/; ask -I $URL/auth; ask -X CONNECT --request-target /CSCOSSLC/tunnel $URL/) '^X-|[Vv][Pp][Nn]|penstock|anyconnect|config-auth'
expect "CONNECT is a method that is not allowed" same "$(status -X CONNECT --request-target /CSCOSSLC/tunnel $URL/)" 'HTTP/1.1 405 Method Not Allowed'
expect "also with a cookie that might be one" same \
  "$(status -X CONNECT --request-target /CSCOSSLC/tunnel -H 'Cookie: webvpn=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' $URL/)" 'HTTP/1.1 405 Method Not Allowed'
says_alpn() { in_ns "$CLIENT" curl -skv --http1.1 --resolve "$1:443:192.0.2.1" -o /dev/null "https://$1/" 2>&1 | grep -c 'accepted http/1.1'; } # HOST
expect "TLS says which HTTP there is, as web servers do" same "$(says_alpn hidden.example)" 1
expect "where it hides" same "$(says_alpn open.example)" 0
expect "openconnect without the secret gets nowhere" same "$(get_cookie anna anna-secret)" ''
expect "nor did anybody get points for it" same "$(ctl -j show ip ban points | jq '[.[] | select(.Score > 20)] | length')" 0

expect "the secret opens it, percent-encoded too" same "$(status "$URL/?open%2Dsesame")" 'HTTP/1.1 200 OK'
HOST='192.0.2.1/?open-sesame' login tunnel anna
expect "openconnect goes through" pings "$INSIDE"
leave tunnel
cookie=$(HOST='192.0.2.1/?open-sesame' get_cookie anna anna-secret)
login_with_cookie again "$cookie"
expect "who has a cookie needs no secret" user_has anna Username anna
leave again
expect "a group by the URL, and a form for it" matches "$(ask "$URL/guests?open-sesame")" 'action="/auth\?open-sesame"'

vhost() { local name=$1; shift; ask --resolve "$name:443:192.0.2.1" "$@"; }
expect "a virtual host that does not hide shows its form" matches "$(vhost open.example https://open.example/)" 'config-auth'
expect "one without a realm has nothing" matches "$(vhost none.example https://none.example/)" '^HTTP/1.1 404 Not Found'
expect "but for who knows" matches "$(vhost none.example 'https://none.example/?open-sesame')" 'config-auth'

expect "the secret stands in no log" never grep -q open-sesame "$WORK/gateway.log"
