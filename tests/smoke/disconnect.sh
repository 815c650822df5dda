#!/usr/bin/env bash
# The operator disconnects: the connection ends, the cookie stays good, and so does the address.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── penstockctl disconnect
. "$(dirname "$0")/lib.sh"

network
gateway < /dev/null
cookie=$(get_cookie anna anna-secret)
login_with_cookie first "$cookie"
soon "anna is connected" user_has anna State connected
address=$(user_field anna IPv4)

expect "an unknown user cannot be disconnected" never ctl disconnect user zoe
expect "nor an unknown connection" never ctl disconnect id 4711
expect "disconnect user anna" ctl disconnect user anna
soon "nobody is connected" nobody
soon "the client was told" client_gone first
expect "the session stays" same "$(sessions)" 1
login_with_cookie second "$cookie"
soon "anna comes back with her cookie" user_has anna State connected
expect "to the same address" same "$(user_field anna IPv4)" "$address"

expect "disconnect id" ctl disconnect id "$(user_field anna ID)"
soon "nobody is connected" nobody
