#!/usr/bin/env bash
# Links under running sessions: no carrier, down, narrower, another MAC address, the gateway's address gone; outside and inside. Sessions
# stay, and packets cross again, large ones too. How soon is measured by tests/bench/links.sh.
#
#   anna 192.0.2.2, bert 2001:db8::2 ════ outer, its frames taken by net_af_packet: gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
outer = outer
CONF
login anna anna
INTERFACE=tun1 HOST='[2001:db8::1]' login bert bert
soon "anna is on DTLS" client_on_dtls anna
soon "and bert, over IPv6" client_on_dtls bert
sessions=$(ctl -j show users | jq -c 'map([.ID, .IPv4]) | sort')
logins=$(grep -c 'logged in' "$WORK/gateway.log")
cross() { WAIT=0.3 answers -I tun0 -s "${1:-56}" $INSIDE && WAIT=0.3 answers -I tun1 -s "${1:-56}" $INSIDE; } # [SIZE]

ip -n "$CLIENT" link set eth0 down
soon "the cable is out" has "$WORK/gateway.log" 'interface outer is down'
ip -n "$CLIENT" link set eth0 up
ip -n "$CLIENT" addr replace 2001:db8::2/64 dev eth0 nodad
soon "and in again: packets cross" cross
ip -n "$SERVER" link set outer down
ip -n "$SERVER" link set outer up
ip -n "$SERVER" addr replace 2001:db8::1/64 dev outer nodad
soon "the interface was down" cross
ip -n "$SERVER" link set vpns0 down
ip -n "$SERVER" link set vpns0 up
soon "so was the inner one" cross
ip -n "$SERVER" addr del 192.0.2.1/24 dev outer
ip -n "$SERVER" addr add 192.0.2.1/24 dev outer
soon "the gateway was without its address" cross
in_ns "$CLIENT" sysctl -qw net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1
ip -n "$CLIENT" link set eth0 address 02:00:00:00:00:77
soon "the next hop has another MAC address" cross

mtu() { ip -n "$SERVER" link set outer mtu "$1"; ip -n "$CLIENT" link set eth0 mtu "$1"; } # MTU
expect "nothing had to be cut so far" same "$(counter outer_fragmented)" 0
mtu 1300
soon "the link becomes narrower" has "$WORK/gateway.log" 'MTU of the interface outer is 1300 now'
soon "large packets cross all the same" cross 1300
was=$(counter outer_fragmented)
expect "because the gateway cuts the records" more "$was" 1
expect "over IPv4 and IPv6, in two each" same "$(counter outer_fragments)" $((2 * was))
iperf_server
expect "TCP runs both ways" eval 'more "$(megabits)" 1 && more "$(megabits -R)" 1'
expect "nothing is lost by it" same "$(counter drop_outer_too_big)" 0
mtu 1500
soon "and wide again" has "$WORK/gateway.log" 'MTU of the interface outer is 1500 now'
was=$(counter outer_fragmented)
expect "they cross whole" cross 1300
expect "uncut" same "$(counter outer_fragmented)" "$was"
expect "the sessions are those of the beginning" same "$(ctl -j show users | jq -c 'map([.ID, .IPv4]) | sort')" "$sessions"
expect "nobody has logged in again" same "$(grep -c 'logged in' "$WORK/gateway.log")" "$logins"
