#!/usr/bin/env bash
# Connections that never finish their login are ended: silent ones, slow ones, and those that talk nonsense.
#
#   client ── TCP, TLS, nothing more ── 192.0.2.1 gateway, auth-timeout = 4
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
auth-timeout = 4
max-ban-score = 0
CONF

connections() { ctl -j show status | jq '.Connections'; }
nobody_waits() { [ "$(connections)" = 0 ]; }
two_wait() { [ "$(connections)" = 2 ]; }

start events "$BIN/penstockctl" -s "$WORK/admin.socket" show events
in_ns "$CLIENT" bash -c 'exec 3<>/dev/tcp/192.0.2.1/443; cat <&3' > /dev/null &
at_end "stop $!"
silent=$!
tls_open
http_post / "$(init_xml)" > "$WORK/asked"
expect "a login has begun" has "$WORK/asked" 'auth-request'
soon "two connections wait" two_wait
soon "the silent one is ended" gone "$silent"
soon "and so is the one that has only begun" nobody_waits
soon "which is told" has "$WORK/events.log" ' stalled-login from 192\.0\.2\.2: login took longer than 4 seconds$'

in_ns "$CLIENT" bash -c 'exec 3<>/dev/tcp/192.0.2.1/443; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3' > "$WORK/plain" &
at_end "stop $!"
soon "plain HTTP is ended" nobody_waits
tls_open
{ head -c 100000 /dev/zero | tr '\0' a 2>/dev/null; } >&"${TLS[1]}" || :
soon "endless nonsense over TLS is ended" nobody_waits
expect "anna can still log in" matches "$(get_cookie anna anna-secret)" '.{40,}'
