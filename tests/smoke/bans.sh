#!/usr/bin/env bash
# Points: for clients that stall, for workers that die, for guesses spread over many networks; and who gets none.
#
#   client 198.51.100.2, .3 (exempt) ═══════╮
#   client 2001:db8:aaaa:1::1, :2::1 ... ═══╪ 192.0.2.1, 2001:db8::1 gateway
#   client 192.0.2.2, a neighbour ══════════╯
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 6'

network
client_from_afar "$CLIENT" 2
from() { ip -n "$CLIENT" route replace 192.0.2.1 dev eth0 src "$1"; } # ADDRESS
ip -n "$CLIENT" addr add 198.51.100.3/32 dev eth0
ip -n "$CLIENT" addr add 192.0.2.2/32 dev eth0
ip -n "$SERVER" route replace 198.51.100.3 dev outer
ip -n "$CLIENT" addr add 2001:db8::2/64 dev eth0 nodad
ip -n "$SERVER" route replace 2001:db8:aaaa::/48 via 2001:db8::2
for n in {1..9}; do ip -n "$CLIENT" addr add "2001:db8:aaaa:$n::1/128" dev lo nodad; done
from_network() { ip -n "$CLIENT" route replace 2001:db8::1 dev eth0 src "2001:db8:aaaa:$1::1"; } # N

gateway << CONF
auth-timeout = 3
max-ban-score = 40
ban-points-wrong-password = 30
ban-points-stall = 5
ban-points-crash = 20
ban-reset-time = 1000000
ban-exempt = local
ban-exempt = 198.51.100.3
CONF
points() { ctl -j show ip ban points | jq --arg ip "$1" '.[] | select(.IP == $ip) | .Score'; }
has_points() { same "$(points "$1")" "$2"; }

from 198.51.100.2
tls_open
soon "a connection is worth a point" has_points 198.51.100.2 1
soon "one that comes to nothing five more" has_points 198.51.100.2 6
tls_open
http_post / "$(init_xml)" > "$WORK/asked"
worker=$(cat "/proc/$(pid_of 'Nursery PID')/task/"*/children | tr -d ' ')
kill -ABRT "$worker"
soon "one whose worker dies twenty" has_points 198.51.100.2 27
expect "occtl's keys, and ours" same "$(ctl -j show ip ban points | jq -c '.[0] | keys_unsorted')" '["IP","Since","_Since","raw_since","Score"]'
expect "people see a table" matches "$(ctl show ip ban points)" '198\.51\.100\.2 +27 '
expect "nobody is banned yet" never banned 198.51.100.2
expect "a wrong password is refused" same "$(get_cookie anna wrong)" ''
soon "and too much" banned 198.51.100.2
expect "a ban says until when" matches "$(ctl -j show ip bans | jq -r '.[0]._Expires')" '^[45]m'
expect "all points are in one list" same "$(points 198.51.100.2)" 58

for exempt in 198.51.100.3 192.0.2.2; do
  from $exempt
  expect "a wrong password from $exempt" same "$(get_cookie bert wrong)" ''
  expect "and another" same "$(get_cookie bert wrong)" ''
  expect "cost nothing" same "$(points $exempt)" ''
done
expect "the right one is right" matches "$(get_cookie bert bert-secret)" '.{40,}'

# The names of users are guessed at with the same measure, whether there is such a user or not.
for n in 1 2; do
  from_network $n
  expect "a guess from network $n" same "$(HOST='[2001:db8::1]' get_cookie carl wrong)" ''
done
soon "the first network has few points" has_points 2001:db8:aaaa:1::/64 31
soon "who guesses on at that name pays twice" has_points 2001:db8:aaaa:2::/64 61
for n in 3 4 5 6 7; do
  from_network $n
  [ -z "$(HOST='[2001:db8::1]' get_cookie carl wrong)" ] || fail "a wrong password is right"
done
soon "who has so many networks is banned with all of them" banned 2001:db8:aaaa::/48
from_network 9
expect "also from one that was silent" same "$(HOST='[2001:db8::1]' get_cookie anna anna-secret)" ''
expect "the operator lifts that" ctl unban ip 2001:db8:aaaa::/48
expect "and the right password is right" matches "$(HOST='[2001:db8::1]' get_cookie anna anna-secret)" '.{40,}'

echo 'ban-exempt = 198.51.100.0/24' >> "$WORK/penstock.conf"
expect "the operator exempts a network" ctl reload
from 198.51.100.2
expect "bans of before hold nobody of it" matches "$(get_cookie anna anna-secret)" '.{40,}'
sed -i 's/^ban-exempt = 198.*/ban-exempt = nobody/' "$WORK/penstock.conf"
expect "what is no network is refused by name" matches "$(ctl reload 2>&1; tail -n 5 "$WORK/gateway.log")" 'ban-exempt: .*it is to be a network'
