#!/usr/bin/env bash
# Whose address is whose: a group with networks of its own within everybody's, where each client has a prefix of IPv6 for itself and
# for what is behind it; and a reload that makes networks wider while they are in use.
#
#   anna, in group staff ═══╮  groups/staff: 10.99.0.128/25 within everybody's, a /64 of fd99:0:1::/48 for each
#   bert ═══════════════════┴ gateway 10.99.0.1, fd99::1, and 10.99.0.129, fd99:0:1::1 while anna is there
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/groups"
cat > "$WORK/groups/staff" << CONF
ipv4-network = 10.99.0.128/25
ipv6-network = fd99:0:1::/48
ipv6-subnet-prefix = 64
route = 10.99.0.0/24
route = fd99::/32
CONF
network
add_user bert bert-secret > /dev/null
for user in anna carl; do
  printf '%s-secret\n%s-secret\n' $user $user | "$BIN/penstock-passwd" -c "$WORK/passwd" -g staff $user > /dev/null
done
gateway << CONF
ipv6-network = fd99::/64
route = fd99::/32
config-per-group = $WORK/groups
CONF

prefix_of() { given "$1" INTERNAL_IP6_NETMASK; } # LABEL: as the client is told
net_of() { say "${1%::*}"; }                     # fd99:0:1:7::1/64 -> fd99:0:1:7
login anna anna
soon "anna has DTLS" client_on_dtls anna
expect "anna's address is in her group's network" matches "$(given anna INTERNAL_IP4_ADDRESS)" '^10\.99\.0\.(1[3-9]|2[0-9])[0-9]$'
hers=$(net_of "$(prefix_of anna)")
expect "she has a prefix of IPv6" matches "$(prefix_of anna)" '^fd99:0:1:[0-9a-f]+::1/64$'
expect "she reaches the gateway there" pings fd99:0:1::1
ip -n "$CLIENT" addr add "$hers:5:6:7:8/128" dev tun0
expect "she may send from all of it" pings -I "$hers:5:6:7:8" fd99:0:1::1
expect "and all of it is reached" in_ns "$SERVER" ping -c 2 -i 0.1 -W 2 -I fd99:0:1::1 "$hers:5:6:7:8"
ip -n "$CLIENT" addr add fd99:0:1:ffff:5:6:7:8/128 dev tun0
before=$(counter drop_spoof)
expect "from another one she may not" never answers -I fd99:0:1:ffff:5:6:7:8 fd99:0:1::1
expect "which is counted" same "$(counter drop_spoof)" $((before + 1))

INTERFACE=tun1 login carl carl
expect "carl has a prefix of his own" differ "$(net_of "$(prefix_of carl)")" "$hers"
INTERFACE=tun2 login bert bert
expect "bert has one address of everybody's" matches "$(prefix_of bert)" '^fd99::[0-9a-f:]+/128$'

# The group's network and everybody's are one now, and everybody's is a quarter of what it will be.
all4() { ctl -j show users | jq -r '.[].IPv4' | sort; }
distinct() { [ "$("$1" | uniq -d)" = '' ]; }
sed -i 's,^ipv4-network = .*,ipv4-network = 10.99.0.0/22,; s,^ipv6-network = .*,ipv6-network = fd99::/32,' "$CONFIG"
echo 'predictable-ips = false' >> "$CONFIG"
expect "networks can be made wider while they are in use" ctl reload
expect "anna notices nothing" pings -I tun0 $INSIDE
expect "nor does bert" pings -I tun2 $INSIDE
for n in 3 4 5 6; do INTERFACE=tun$n login "bert$n" bert; done
expect "nobody has another one's address" distinct all4
expect "of IPv6 neither" never matches "$(user_field bert IPv6 | tr '\n' ' ')" "$hers:"
leave anna
soon "anna has left" never user_has anna State connected
login again anna
expect "and gets what is hers, where nobody has taken it" matches "$(prefix_of again)" '^fd99:0:1:[0-9a-f]+::1/64$'
expect "the gateway answers her" pings -I tun0 fd99:0:1::1
