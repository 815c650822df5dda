#!/usr/bin/env bash
# ping-leases: where clients' network is a part of a LAN, an address that a host there has is not lent. Who logs in waits a moment for
# that, and nobody else does.
#
#   anna, bert ═══ gateway ── lan 10.99.0.254/24, fd99:0:0:1::fe/48 ── host: whatever address anna would get
#                        vpns0 10.99.0.64/26,    fd99:0:0:1::/112
. "$(dirname "$0")/lib.sh"
HOST_IN_LAN=$NAME-h

network
add_netns "$HOST_IN_LAN"
add_link "$SERVER" lan 10.99.0.254/24,fd99:0:0:1::fe/48 "$HOST_IN_LAN" eth0 10.99.0.9/24,fd99::9/48
configure_lan() {
  sed -i 's,^ipv4-network = .*,ipv4-network = 10.99.0.64/26,' "$CONFIG"
}
[ -f "$WORK/cert.pem" ] || make_certificate
add_user anna anna-secret > /dev/null
add_user bert bert-secret > /dev/null
configure 192.0.2.1 << CONF
ipv6-network = fd99:0:0:1::/112
ping-leases = true
persistent-cookies = true
CONF
configure_lan
start_gateway "$SERVER"
INSIDE=10.99.0.65

login first anna
ip4=$(given first INTERNAL_IP4_ADDRESS) ip6=$(user_field anna IPv6)
expect "anna has an address that nobody answers at" lacks "$WORK/gateway.log" 'somebody answers'
leave first
expect "she goes for good" ctl terminate user anna
soon "so that her addresses are free" no_sessions

ip -n "$HOST_IN_LAN" addr add "$ip4/24" dev eth0
ip -n "$HOST_IN_LAN" addr add "$ip6/48" dev eth0 nodad
forget_neighbours() { ip -n "$SERVER" neigh flush dev lan; } # who was asked for a moment ago is not asked for again at once
forget_neighbours
login second anna
new4=$(given second INTERNAL_IP4_ADDRESS) new6=$(user_field anna IPv6)
expect "the same address is a host's now: she gets another" differ "$new4" "$ip4"
expect "of IPv6 too" differ "$new6" "$ip6"
expect "as the log says" has "$WORK/gateway.log" "$ip4 is not lent: somebody answers there"
expect "of both" has "$WORK/gateway.log" "$ip6 is not lent: somebody answers there"
expect "her own works" pings -I tun0 $INSIDE
cookie=$(get_cookie anna anna-secret)
INTERFACE=tun2 login_with_cookie again "$cookie"
before=$(grep -c 'somebody answers' "$WORK/gateway.log")
INTERFACE=tun2 login_with_cookie again "$cookie"
expect "a session that comes back keeps what it has, unasked" same "$(grep -c 'somebody answers' "$WORK/gateway.log")" "$before"
stop "${client[again]}"

for n in $(seq 66 126); do [ "10.99.0.$n" = "$new4" ] || ip -n "$HOST_IN_LAN" addr replace "10.99.0.$n/24" dev eth0; done
INTERFACE=tun1 start_client bert "$CLIENT" bert bert-secret 192.0.2.1
soon "where all of them answer, bert is turned away" gone "$pid"
expect "after so many tries" more 20 "$(grep -c 'somebody answers' "$WORK/gateway.log")"
expect "because there is no address" has "$WORK/gateway.log" 'no session: no address is free'
expect "anna has not noticed" pings -I tun0 $INSIDE
for n in $(seq 66 126); do [ "10.99.0.$n" = "$new4" ] || ip -n "$HOST_IN_LAN" addr del "10.99.0.$n/24" dev eth0; done
forget_neighbours
INTERFACE=tun1 login bert bert
expect "none of them is lost by that" matches "$(given bert INTERNAL_IP4_ADDRESS)" '^10\.99\.0\.'
