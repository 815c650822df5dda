#!/usr/bin/env bash
# Users and groups with files of their own: what they say counts, before everybody's values; a broken one keeps its user out.
#
#   anna, in group staff ═══╮   users/anna  groups/staff
#   bert ═══════════════════┴ gateway vpns0 10.99.0.1, and 10.88.0.1 while anna is there
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/users" "$WORK/groups"
cat > "$WORK/groups/staff" << CONF
route = 10.77.0.0/16
dns = 10.77.0.53
keepalive = 1234
no-udp = false
CONF
cat > "$WORK/users/anna" << CONF
ipv4-network = 10.88.0.0
ipv4-netmask = 255.255.255.0
explicit-ipv4 = 10.88.0.77
hostname = annas-desk
route = 10.88.0.0/24
route = 10.99.0.0/24
mtu = 1300
max-same-clients = 1
CONF

network
make_certificate
add_user anna anna-secret > /dev/null
printf 'anna-secret\nanna-secret\n' | "$BIN/penstock-passwd" -c "$WORK/passwd" -g staff anna > /dev/null
add_user bert bert-secret > /dev/null
gateway << CONF
no-udp = true
keepalive = 100
config-per-user = $WORK/users
config-per-group = $WORK/groups
CONF

show() { ctl -j show user "$1" | jq -r ".[0] | .$2 | if type == \"array\" then join(\" \") else . end"; } # USER FIELD
login anna anna
expect "anna gets the address that her file names" same "$(given anna INTERNAL_IP4_ADDRESS)" 10.88.0.77
expect "in a network of her own" same "$(given anna INTERNAL_IP4_NETMASK)" 255.255.255.0
expect "her group's routes and hers" same "$(show anna Routes)" '10.77.0.0/16 10.88.0.0/24 10.99.0.0/24'
expect "which her client has heard" same "$(given anna CISCO_SPLIT_INC)" 3
expect "her group's DNS server" same "$(given anna INTERNAL_IP4_DNS)" 10.77.0.53
expect "her group's keepalive" same "$(show anna KeepAlive)" 1234
expect "her MTU" same "$(given anna INTERNAL_IP4_MTU)" 1300
expect "her name for the machine" same "$(show anna Hostname)" annas-desk
soon "her group may use UDP" client_on_dtls anna
expect "she reaches the gateway in her network" pings 10.88.0.1
expect "and in everybody's" pings $INSIDE

INTERFACE=tun1 login bert bert
expect "bert gets what everybody gets" matches "$(given bert INTERNAL_IP4_ADDRESS)" '^10\.99\.0\.'
expect "his routes" same "$(show bert Routes)" 10.99.0.0/24
expect "his keepalive" same "$(show bert KeepAlive)" 100
expect "no UDP for him" never client_on_dtls bert

INTERFACE=tun2 start_client second "$CLIENT" anna anna-secret 192.0.2.1
soon "anna may connect once only" gone "$pid"
expect "as the log says" has "$WORK/gateway.log" 'as many sessions as max-same-clients allows'

leave anna
gateway_has_88() { ip -n "$SERVER" addr show dev vpns0 | grep 'inet 10.88.0.1/24' > /dev/null; }
soon "her network goes with her" never gateway_has_88
echo 'route = nonsense' >> "$WORK/users/anna"
start_client broken "$CLIENT" anna anna-secret 192.0.2.1
soon "a broken file keeps her out" gone "$pid"
expect "and is named" has "$WORK/gateway.log" "$WORK/users/anna:9: route: 'nonsense'"
check() { "$BIN/penstockd" -t -c "$CONFIG" 2>&1; }
expect "penstockd -t finds it too" matches "$(check || :)" "$WORK/users/anna:9: route: 'nonsense'"
sed -i '$d' "$WORK/users/anna"
login again anna
expect "mended, it lets her in again" same "$(given again INTERNAL_IP4_ADDRESS)" 10.88.0.77
