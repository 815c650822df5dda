#!/usr/bin/env bash
# What clients are told of the network: name servers, domains and routes, everybody's and their own; each user as his files, his group's or
# the default ones say.
#
#   anna, in group staff ══╮   users/anna, groups/staff
#   bert, in group guests ═┼ gateway   groups/default
#   carl ══════════════════╯   users/default
. "$(dirname "$0")/lib.sh"

network
make_certificate
add_user carl carl-secret > /dev/null
for pair in anna:staff bert:guests; do
  user=${pair%:*}
  printf '%s-secret\n' "$user" | "$BIN/penstock-passwd" -c "$WORK/passwd" -g "${pair#*:}" "$user" > /dev/null
done
mkdir "$WORK/users" "$WORK/groups"
cat > "$WORK/users/anna" << 'CONF'
route = 10.1.0.0/16
nbns = 10.99.0.9
explicit-ipv6 = fd99::77
split-dns = corp.example
client-bypass-protocol = true
CONF
printf 'route = 10.2.0.0/16\nno-route = 10.2.9.0/24\ntunnel-all-dns = true\n' > "$WORK/groups/staff"
printf 'dns = 10.99.0.53\nroute = 10.3.0.0/16\n' > "$WORK/default-group"
printf 'split-dns = guests.example\nhostname = guest\n' > "$WORK/default-user"
gateway << CONF
ipv6-network = fd99::
ipv6-prefix = 64
config-per-user = $WORK/users
config-per-group = $WORK/groups
default-user-config = $WORK/default-user
default-group-config = $WORK/default-group
append-routes = true
no-route = 10.99.0.128/25
ipv4-nbns = 10.99.0.8
split-dns = example.net
split-dns = example.org
CONF

# As openconnect gives them to its script, and as it is told.
networks() { for ((i = 0; i < $(given "$1" "$2"); i++)); do echo "$(given "$1" "$2_${i}_ADDR")/$(given "$1" "$2_${i}_MASKLEN")"; done | sort | tr '\n' ' '; }
same_users() { same "$(ctl -j show users | jq -r '.[].Username')" "$1"; }
header() { sed -n "s/.* X-CSTP-$2: //p" "$WORK/$1.log" | sort | tr '\n' ' '; } # LABEL NAME

login anna anna
expect "anna has her routes, her group's and everybody's" same "$(networks anna CISCO_SPLIT_INC)" '10.1.0.0/16 10.2.0.0/16 10.99.0.0/24 '
expect "and what is not to go that way" same "$(networks anna CISCO_SPLIT_EXC)" '10.2.9.0/24 10.99.0.128/25 '
expect "her own NetBIOS server" same "$(given anna INTERNAL_IP4_NBNS)" 10.99.0.9
expect "everybody's name server" same "$(given anna INTERNAL_IP4_DNS)" 10.99.0.1
expect "her own domain, in the place of everybody's" same "$(given anna CISCO_SPLIT_DNS)" corp.example
expect "the domain that all search" same "$(given anna CISCO_DEF_DOMAIN)" example.org
expect "her IPv6 address, in a network with ipv6-prefix" same "$(given anna INTERNAL_IP6_ADDRESS)" fd99::77
expect "all questions go to the name server, as her group says" same "$(header anna Tunnel-All-DNS)" 'true '
expect "what she has no address for may go past the tunnel" same "$(header anna Client-Bypass-Protocol)" 'true '

INTERFACE=tun1 login bert bert
expect "a group without a file has the default one's" same "$(networks bert CISCO_SPLIT_INC)" '10.3.0.0/16 10.99.0.0/24 '
expect "its name server" same "$(given bert INTERNAL_IP4_DNS)" 10.99.0.53
expect "a user without a file likewise" same "$(given bert CISCO_SPLIT_DNS)" guests.example
expect "everybody's NetBIOS server" same "$(given bert INTERNAL_IP4_NBNS)" 10.99.0.8
expect "an address of the IPv6 network" matches "$(given bert INTERNAL_IP6_ADDRESS)" '^fd99::'
expect "everybody's way of asking for names" same "$(header bert Tunnel-All-DNS)$(header bert Client-Bypass-Protocol)" 'false false '

INTERFACE=tun2 login carl carl
expect "who is in no group has no group's" same "$(networks carl CISCO_SPLIT_INC)$(given carl INTERNAL_IP4_DNS)" '10.99.0.0/24 10.99.0.1'
expect "but the default user's" same "$(given carl CISCO_SPLIT_DNS)" guests.example
expect "the name that his host is to have" same "$(header carl Hostname)" 'guest '

sed -i '/^default-user-config/d; /^split-dns/d; s/^append-routes.*/append-routes = false/' "$CONFIG"
expect "a reload is for who comes later" ctl reload
leave anna
leave carl
soon "they leave" same_users bert
login again anna
expect "whose own routes take everybody's place" same "$(networks again CISCO_SPLIT_INC)" '10.1.0.0/16 10.2.0.0/16 '
INTERFACE=tun2 login carl carl
expect "or who is told of no domain" same "$(given carl CISCO_SPLIT_DNS)" ''
