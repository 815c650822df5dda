#!/usr/bin/env bash
# How long a cookie is good, and for whom: after a goodbye where it persists, for its time, for one address, in one place; and not a
# second longer than the operator wants.
#
#   client 192.0.2.2, .3 ════ 192.0.2.1 vpn.example    persistent-cookies, cookie-timeout = 300
#                                       lab.example    cookie-timeout = 2
. "$(dirname "$0")/lib.sh"

network
ip -n "$CLIENT" addr add 192.0.2.3/24 dev eth0
from() { ip -n "$CLIENT" route replace 192.0.2.1 dev eth0 src "$1"; } # ADDRESS
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab.example -keyout "$WORK/lab.key" \
  -out "$WORK/lab.pem" 2>> "$WORK/openssl.log"
gateway 192.0.2.1 << CONF
persistent-cookies = true
deny-roaming = true
max-same-clients = 1
[vhost:lab.example]
server-cert = $WORK/lab.pem
server-key = $WORK/lab.key
persistent-cookies = false
cookie-timeout = 2
deny-roaming = false
ipv4-network = 10.88.0.0/24
CONF
at_lab() { PIN=$(pin_of "$WORK/lab.pem") HOST=lab.example INTERFACE=tun1 "$@" --resolve lab.example:192.0.2.1; }

# A CONNECT with a cookie: the status that it gets. The connection ends with the shell.
opens() { # COOKIE, as openconnect prints it: with its key, which is not needed
  local value=${1##*webvpn=}
  printf 'CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: vpn.example\r\nCookie: webvpn=%s\r\nX-CSTP-Version: 1\r\nX-CSTP-Address-Type: IPv4\r\n\r\n' "${value%%;*}" |
    in_ns "$CLIENT" timeout 3 openssl s_client -quiet -ign_eof -connect 192.0.2.1:443 2> /dev/null | head -n 1 | grep -ao 'HTTP/1.1 [0-9]*'
}

from 192.0.2.2
cookie=$(get_cookie anna anna-secret)
login_with_cookie anna "$cookie"
soon "anna is connected" user_has anna State connected
address=$(user_field anna IPv4)
again=$(get_cookie anna anna-secret)
expect "her second session finds no room beside the first" same "$(opens "$again")" 'HTTP/1.1 503'
leave anna
soon "she has said goodbye" nobody
from 192.0.2.3
expect "from another address her cookie is none" same "$(opens "$cookie")" 'HTTP/1.1 401'
from 192.0.2.2
login_with_cookie anna "$cookie"
soon "but where she logged in it persists" user_has anna State connected
expect "with her address" same "$(user_field anna IPv4)" "$address"

expect "the operator terminates her" ctl terminate user anna
expect "at once her cookie is none" same "$(opens "$cookie")" 'HTTP/1.1 401'
expect "nor is the other" same "$(opens "$again")" 'HTTP/1.1 401'
soon "her client is told" client_gone anna

# In the laboratory nothing persists, and little lasts.
at_lab login bert bert
expect "bert is in the laboratory" same "$(ctl -j show sessions | jq -r '.[0].vhost')" lab.example
leave bert
soon "his goodbye ends his session" no_sessions
cookie=$(at_lab get_cookie bert bert-secret)
expect "a cookie that is not used" same "$(sessions)" 1
soon "is none after two seconds" no_sessions
