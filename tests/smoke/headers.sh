#!/usr/bin/env bash
# What an operator adds to HTTP: headers of every answer, headers and a proxy for one client, banners, the name that is looked up again.
#
#   curl, openconnect 192.0.2.2 ════ 192.0.2.1 gateway ── anna in the group "r&d"; plain.example, a virtual host with less
. "$(dirname "$0")/lib.sh"

network
printf 'anna-secret\n' | "$BIN/penstock-passwd" -c "$WORK/passwd" -g 'r&d' anna
gateway 192.0.2.1 << CONF
included-http-headers = Strict-Transport-Security: max-age=63072000 ; includeSubDomains
included-http-headers = X-Frame-Options: deny
included-http-headers = Server: nginx
included-http-headers = X-CSTP-Motto: for all
custom-header = "X-CSTP-Site: %{U} of %{G}"
proxy-url = http://proxy.example.com/%{G}/%{U}.pac
listen-host-is-dyndns = true
banner = "Welcome to the <office>"
pre-login-banner = "Staff only"
[vhost:plain.example]
included-http-headers = X-Frame-Options: sameorigin
listen-host-is-dyndns = false
CONF

ask() { in_ns "$CLIENT" curl -sk -i --max-time 10 --resolve plain.example:443:192.0.2.1 "$@" | tr -d '\r'; }
for path in / /nowhere; do
  ask "https://192.0.2.1$path" > "$WORK/answer"
  expect "the answer for $path has what is to be in every one" has "$WORK/answer" '^X-Frame-Options: deny$'
  expect "as often as it was said" same "$(grep -c '^Server: nginx$' "$WORK/answer")" 1
  expect "in the place of our own" same "$(grep -i '^Strict-Transport' "$WORK/answer")" 'Strict-Transport-Security: max-age=63072000 ; includeSubDomains'
done
expect "a virtual host has its own" same "$(ask https://plain.example/ | grep -E '^(X-Frame|Server)')" 'X-Frame-Options: sameorigin'

login tunnel anna
expect "the banner before the login" client_says tunnel '^Staff only|Staff only$'
expect "the client is told who it is, and where" client_says tunnel '] X-CSTP-Site: anna of r&d$'
expect "the proxy has the names in its URL" same "$(given tunnel CISCO_PROXY_PAC)" 'http://proxy.example.com/r%26d/anna.pac'
expect "the name is to be looked up again" client_says tunnel '] X-CSTP-DynDNS: true$'
expect "the banner after the login" client_says tunnel '] X-CSTP-Banner: Welcome to the <office>$'
expect "CONNECT's answer has them all, too" client_says tunnel '] X-CSTP-Motto: for all$'
leave tunnel

expect "a header that breaks answers is refused, with its line" matches \
  "$(sed 's/^included-http-headers = Server.*/included-http-headers = Content-Length: 0/' "$CONFIG" > "$WORK/bad.conf"; "$BIN/penstockd" -t -c "$WORK/bad.conf" 2>&1)" \
  "bad.conf:$(grep -n Server: "$CONFIG" | cut -d: -f1): included-http-headers: Content-Length: 0: it would break"
