#!/usr/bin/env bash
# Networks behind a client, and addresses in no network of ours: the kernel and other clients reach them, and nobody else may send
# from them.
#
#   host 10.50.0.7 ── 10.50.0.1 anna ═══╮    users/anna: iroute = 10.50.0.0/16, fd50::/64, 10.51.0.0/16
#        fd50::7      fd50::1           ├ gateway vpns0 10.99.0.1 fd99::1
#                               bert ═══╯    users/bert: iroute = 10.51.0.0/16, 10.51.7.0/24; explicit-ipv4 = 203.0.113.77
. "$(dirname "$0")/lib.sh"
BERT=$NAME-b HOST_BEHIND=$NAME-h

mkdir "$WORK/users"
printf '%s\n' 'iroute = 10.50.0.0/255.255.0.0' 'iroute = fd50::/64' 'iroute = 10.51.0.0/16' 'iroute = 10.99.0.64/26' \
  'route = 10.99.0.0/24' 'route = fd99::/64' 'route = 203.0.113.77/32' > "$WORK/users/anna"
echo 'explicit-ipv4 = 198.51.100.1' > "$WORK/users/dora"
printf '%s\n' 'iroute = 10.51.0.0/16' 'iroute = 10.51.7.0/24' 'explicit-ipv4 = 203.0.113.77' > "$WORK/users/bert"
network
forwarding
add_netns "$BERT" "$HOST_BEHIND"
add_link "$SERVER" outer2 198.51.100.1/24 "$BERT" eth0 198.51.100.2/24
add_link "$CLIENT" lan 10.50.0.1/16,fd50::1/64 "$HOST_BEHIND" eth0 10.50.0.7/16,fd50::7/64
in_ns "$CLIENT" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n "$HOST_BEHIND" route add default via 10.50.0.1
ip -n "$HOST_BEHIND" route add default via fd50::1
gateway 192.0.2.1 198.51.100.1 << CONF
ipv6-network = fd99::/64
route = fd99::/64
route = 10.50.0.0/16
config-per-user = $WORK/users
CONF

iroutes() { ctl -j show iroutes | jq -r --arg u "$1" '[.[] | select(.Username == $u) | .iRoutes[]] | join(" ")'; } # USER
routed() { [ -n "$(ip -n "$SERVER" "-$1" route show "$2" dev vpns0)" ]; }                                         # 4|6 NETWORK

login anna anna
soon "anna has DTLS" client_on_dtls anna
expect "her networks are known, but not the one of ours" same "$(iroutes anna)" '10.50.0.0/16 fd50::/64 10.51.0.0/16'
expect "the kernel routes them" routed 4 10.50.0.0/16
expect "of both families" routed 6 fd50::/64
NETNS=$SERVER expect "the gateway reaches the host behind her" pings -I $INSIDE 10.50.0.7
NETNS=$SERVER expect "over IPv6 too" pings -I fd99::1 fd50::7
NETNS=$HOST_BEHIND expect "and the host reaches the gateway" pings $INSIDE

NETNS=$BERT HOST=198.51.100.1 login bert bert
NETNS=$BERT soon "bert has DTLS" client_on_dtls bert
expect "he has the address that his file names" same "$(given bert INTERNAL_IP4_ADDRESS)" 203.0.113.77
expect "alone" same "$(given bert INTERNAL_IP4_NETMASK)" 255.255.255.255
expect "the kernel knows the way" routed 4 203.0.113.77
add_user dora dora-secret > /dev/null
INTERFACE=tun2 login_with_cookie dora "$(get_cookie dora dora-secret)"
expect "an address of the machine's own is nobody's" client_gone dora
expect "as the log says, too" has "$WORK/gateway.log" "the user's address is the gateway's own"
expect "a network of anna's stays hers" same "$(iroutes bert)" 10.51.7.0/24
expect "as the log says" has "$WORK/gateway.log" "iroute 10.51.0.0/16 of user 'bert' is behind user 'anna'"
NETNS=$BERT expect "he reaches the gateway" pings $INSIDE
NETNS=$BERT expect "and the host behind anna" pings 10.50.0.7
NETNS=$HOST_BEHIND expect "which reaches him" pings 203.0.113.77

ip -n "$BERT" addr add 10.50.0.9/32 dev tun0
ip -n "$BERT" addr add 10.51.7.9/32 dev tun0
ip -n "$CLIENT" addr add 10.51.7.9/32 dev tun0
before=$(counter drop_spoof)
NETNS=$BERT expect "what is behind anna is not his to send from" never answers -I 10.50.0.9 $INSIDE
expect "nor hers what is behind him, though it lies in a network of hers" never answers -I 10.51.7.9 $INSIDE
expect "both are counted" same "$(counter drop_spoof)" $((before + 2))
NETNS=$BERT expect "what is behind him is" pings -I 10.51.7.9 $INSIDE

leave anna
soon "her networks go with her" never routed 4 10.50.0.0/16
expect "of both families" never routed 6 fd50::/64
expect "from the list too" same "$(iroutes anna)" ''
login again anna
expect "and come back" routed 4 10.50.0.0/16
INTERFACE=tun1 login newer anna
soon "of one user's sessions the newest counts" has "$WORK/gateway.log" "iroute 10.50.0.0/16 of user 'anna' moves here"
expect "once" same "$(iroutes anna)" '10.50.0.0/16 fd50::/64 10.51.0.0/16'

leave again
leave newer
soon "her networks go again" never routed 4 10.50.0.0/16
printf '%s\n' 'route-add-cmd = "ip route add %{R} dev %{D} proto 99"' "route-del-cmd = \"$WORK/delete '%{RI} by' %{D}\"" >> "$CONFIG"
printf '%s\n' '#!/bin/sh' 'ip route del "${1% by}" dev "$2" proto 99 && echo "$# words"' > "$WORK/delete"
chmod +x "$WORK/delete"
echo 'expose-iroutes = true' >> "$CONFIG"
add_user carl carl-secret > /dev/null
expect "commands for routes can be set by a reload" ctl reload
by_command() { [ -n "$(ip -n "$SERVER" "-$1" route show "$2" dev vpns0 proto 99)" ]; } # 4|6 NETWORK
login third anna
soon "then they add the routes, in the place of ours" by_command 4 10.50.0.0/16
soon "of both families" by_command 6 fd50::/64
NETNS=$SERVER expect "and they work" pings -I $INSIDE 10.50.0.7
leave third
soon "and take them away" never routed 4 10.50.0.0/16
soon "all of them" never routed 6 fd50::/64
soon "with the words that their quotes make" has "$WORK/gateway.log" 'route-del-cmd of session [0-9]+, 10.50.0.0/16: 2 words'

show_routes() { ctl -j show user "$1" | jq -r '.[0].Routes | join(" ")'; } # USER
NETNS=$BERT HOST=198.51.100.1 INTERFACE=tun1 login carl carl
expect "with expose-iroutes carl is told of the networks behind others" same "$(show_routes carl)" \
  '10.99.0.0/24 fd99::/64 10.50.0.0/16 fd50::/64 10.51.0.0/16 10.99.0.64/26 10.51.7.0/24'
expect "which his client has taken" matches "$(ip -n "$BERT" route show dev tun1)" '10\.51\.7\.0/24'
login fourth anna
expect "anna is told of bert's, not of her own" same "$(show_routes anna)" '10.99.0.0/24 fd99::/64 203.0.113.77/32 10.51.7.0/24'
