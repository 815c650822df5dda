#!/usr/bin/env bash
# Wrong passwords, unknown and locked users: one answer for all, points for each, a ban, and its end.
#
#   client 198.51.100.2 ════ 192.0.2.1 gateway
#   (no neighbour: whoever is on the gateway's own network may be exempt from bans)
. "$(dirname "$0")/lib.sh"

network
client_from_afar "$CLIENT" 2
add_user carl carl-secret > /dev/null
"$BIN/penstock-passwd" -c "$WORK/passwd" -l carl
add_user anna anna-secret > /dev/null
gateway 192.0.2.1 << CONF
max-ban-score = 80
ban-points-wrong-password = 20
ban-points-connection = 1
ban-time = 300
CONF

# The last answer of a login, as bytes, but for the second that it is of.
answer_for() { # USER PASSWORD
  tls_open
  http_post / "$(init_xml)" > /dev/null
  http_post /auth "$(reply_xml username "$1")" > "$WORK/asked"
  http_post /auth "$(reply_xml password "$2")" > "$WORK/answer"
  tls_close
  grep -v '^Date: ' "$WORK/answer"
}
wrong=$(answer_for anna wrong)
unknown=$(answer_for nobody wrong)
locked=$(answer_for carl carl-secret)
expect "a wrong password is refused" matches "$wrong" 'auth'
expect "a wrong password opens nothing" never matches "$wrong" 'webvpn=[^;]'
expect "an unknown user gets the same bytes" same "$unknown" "$wrong"
expect "a locked user gets the same bytes" same "$locked" "$wrong"

expect "the right password is right" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "one more wrong password" same "$(get_cookie anna wrong)" ''
soon "the address is banned" banned 198.51.100.2
expect "even the right password gets no answer now" same "$(get_cookie anna anna-secret)" ''
expect "the operator cannot lift it for a network" matches "$(ctl unban ip 198.51.100.2/24 2>&1)" "198\.51\.100\.2/24' is a network"
expect "nor for one of IPv6" matches "$(ctl unban ip 2001:db8::/32 2>&1)" "2001:db8::/32' is a network"
expect "the address is still banned" banned 198.51.100.2
expect "a /64 has a score, but not this one" matches "$(ctl unban ip 2001:db8:5::/64 2>&1)" 'neither banned nor scored'
expect "the operator lifts the ban" ctl unban ip 198.51.100.2
expect "nobody is banned" same "$(ctl -j show ip bans | jq length)" 0
expect "the right password is right again" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "an address that has no ban is not unbanned" never ctl unban ip 198.51.100.77
