#!/usr/bin/env bash
# The operator terminates: the connection ends and the cookie is void. By user, by connection, by session.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── penstockctl terminate
. "$(dirname "$0")/lib.sh"

network
gateway < /dev/null
cookie_is_void() { # LABEL COOKIE
  login_with_cookie "$1" "$2"
  client_gone "$1" && nobody
}

by_user() { ctl terminate user anna; }
by_id() { ctl terminate id "$(user_field anna ID)"; }
by_session() { ctl terminate session "$(user_field anna 'Full session')"; }

for way in by_user by_id by_session; do
  cookie=$(get_cookie anna anna-secret)
  login_with_cookie $way "$cookie"
  soon "anna is connected" user_has anna State connected
  expect "terminate $way" $way
  soon "the client was told" client_gone $way
  soon "nobody is connected" nobody
  soon "there is no session" no_sessions
  expect "the cookie is void" cookie_is_void $way-again "$cookie"
done
expect "what is not there cannot be terminated" never ctl terminate session 00112233
