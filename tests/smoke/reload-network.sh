#!/usr/bin/env bash
# A reload takes networks away: their addresses and routes stay on the inner interface while a session has an address of them, and no
# longer.
#
#   anna ════╮ 10.99.0.0/24, fd99::/64             10.99.0.1  fd99::1
#            ├ 192.0.2.1 gateway ── reload ── vpns0
#   bert ════╯ 10.98.0.0/24                        10.98.0.1
. "$(dirname "$0")/lib.sh"

inner_has() { ip -n "$SERVER" addr show dev vpns0 | grep -F " $1 " > /dev/null; }                    # ADDRESS/PREFIX
inner_routes() { [ -n "$(ip -n "$SERVER" "-$1" route show dev vpns0 "$2" | grep -v linkdown)" ]; } # FAMILY NETWORK
use_network() { sed -i "s,^ipv4-network = .*,ipv4-network = $1,; /^ipv6-network/d" "$CONFIG"; }    # NETWORK

network
gateway << CONF
ipv6-network = fd99::/64
CONF
login anna anna
expect "the interface has an address in each network" inner_has 10.99.0.1/24
expect "of both families" inner_has fd99::1/64
expect "the gateway answers anna" pings -I tun0 $INSIDE

use_network 10.98.0.0/24
expect "other networks" ctl reload
expect "the new one has its address" inner_has 10.98.0.1/24
expect "the old ones keep theirs" inner_has 10.99.0.1/24
expect "both of them" inner_has fd99::1/64
expect "anna notices nothing" pings -I tun0 $INSIDE
INTERFACE=tun1 login bert bert
expect "bert is in the new network" matches "$(user_field bert IPv4)" '^10\.98\.0\.'
expect "and it answers" pings -I tun1 10.98.0.1

leave anna
soon "anna has left, and her network with her" never inner_has 10.99.0.1/24
soon "the other one too" never inner_has fd99::1/64
expect "and their routes" never inner_routes 4 10.99.0.0/24
expect "of both families" never inner_routes 6 fd99::/64
expect "bert's is still there" pings -I tun1 10.98.0.1
leave bert
soon "nobody is left" no_sessions

use_network 10.99.0.0/16
expect "a network without sessions" ctl reload
expect "goes at once" never inner_has 10.98.0.1/24
expect "for a wider one" inner_has 10.99.0.1/16
login again anna
expect "that works" pings -I tun0 $INSIDE
