#!/usr/bin/env bash
# The same cookie from a second connection replaces the first and keeps the addresses.
#
#   client tun0 ════╮
#                   ├ 192.0.2.1 gateway: one session
#   client tun1 ════╯
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
cookie-timeout = 60
CONF
cookie=$(get_cookie anna anna-secret)
login_with_cookie first "$cookie"
soon "anna is connected" user_has anna State connected
address=$(user_field anna IPv4) address6=$(user_field anna IPv6) id=$(user_field anna ID)

INTERFACE=tun1 login_with_cookie second "$cookie"
soon "the first connection was replaced" client_gone first
soon "the second is up" client_up second
expect "one connection is left" same "$(ctl -j show users | jq length)" 1
expect "with the same address" same "$(user_field anna IPv4)" "$address"
expect "and the same IPv6 address" same "$(user_field anna IPv6)" "$address6"
expect "in the same session" same "$(sessions)" 1
soon "it has DTLS" client_on_dtls second
expect "and carries packets" pings -I tun1 $INSIDE

# The client's own goodbye voids the cookie.
leave second
soon "nobody is connected" nobody
soon "the session has ended" no_sessions
login_with_cookie third "$cookie"
soon "the cookie is void" client_gone third
login_with_cookie fourth "$(head -c 32 /dev/urandom | base64 -w 0)"
soon "a made-up cookie opens nothing" client_gone fourth
expect "nobody is connected" nobody
