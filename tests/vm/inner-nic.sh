#!/usr/bin/env bash
# A second NIC of our own as inner port: clients' packets leave by it, to the next hop that the kernel knows.
#
#   client ══ e1000e ══ guest: dataplane ── vmxnet3 ── eth0 172.16.0.2 LAN, a router: 10.50.0.1 lies behind it
#   10.99.0.x           pnic0 192.0.2.1     pnic1 172.16.0.1
#   fd00:99::x                              2001:db8:1::1   2001:db8:1::2
. "$(dirname "$0")/lib.sh"
LAN=$NAME-l

add_netns "$CLIENT" "$LAN"
nic e1000e "$CLIENT"
nic vmxnet3 "$LAN"
boot
set_address "$CLIENT" eth0 192.0.2.2/24
set_address "$LAN" eth0 172.16.0.2/24,2001:db8:1::2/64
set_address "$LAN" lo 10.50.0.1/32
ip -n "$LAN" route add 10.99.0.0/24 via 172.16.0.1
ip -n "$LAN" route add fd00:99::/64 via 2001:db8:1::1
guest "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
gateway 192.0.2.1 << CONF
outer = $(nic_pci 0)
inner = $(nic_pci 1)
nic-address = pnic0 192.0.2.1/24
nic-address = pnic1 172.16.0.1/24
nic-address = pnic1 2001:db8:1::1/64
nic-route = pnic1 10.50.0.0/16 172.16.0.2
ipv6-network = fd00:99::/64
route = 172.16.0.0/24
route = 10.50.0.0/16
route = 2001:db8:1::/64
CONF
login anna anna
soon "DTLS is up" client_on_dtls anna
ANNA=$(user_field anna 'IPv4') ANNA6=$(user_field anna 'IPv6')

without_kernel() { # COMMAND...: it works, and packets both ways take the short way
  local out
  out=$(counter inner_forwarded)
  "$@" && more "$(counter inner_forwarded)" "$out"
}

soon "a neighbour answers, once the kernel has found it" answers 172.16.0.2
soon "then the kernel is asked no more" without_kernel pings 172.16.0.2
soon "so with a network behind it" without_kernel pings 10.50.0.1
soon "and with IPv6" without_kernel pings 2001:db8:1::2
expect "the LAN reaches the client" in_ns "$LAN" ping -c 2 -W 2 "$ANNA"
expect "and its IPv6 address" in_ns "$LAN" ping -c 2 -W 2 "$ANNA6"
start iperf ip netns exec "$LAN" iperf3 -s --forceflush
soon "iperf3 listens in the LAN" has "$WORK/iperf.log" 'Server listening'
expect "TCP runs both ways" in_ns "$CLIENT" iperf3 -c 10.50.0.1 -n 500K
expect "with small windows, too" in_ns "$CLIENT" iperf3 -c 10.50.0.1 -n 200K -R

say "--- what is the kernel's"
expect "the gateway's own inner addresses answer" pings 172.16.0.1
expect "also the one that clients know" pings $INSIDE
expect "and to the LAN" in_ns "$LAN" ping -c 1 -W 2 172.16.0.1
told_by() { matches "$(in_ns "$2" ping -c 1 -W 2 -t 1 "$3" || :)" "From $1 .*Time to live exceeded"; } # ROUTER NETNS ADDRESS
expect "it is a router: whose TTL ends here is told" told_by $INSIDE "$CLIENT" 10.50.0.1
expect "so from the other side" told_by 172.16.0.1 "$LAN" "$ANNA"

say "--- changes"
guest "ip route del 10.50.0.0/16"
soon "a route that goes is gone" never answers 10.50.0.1
guest "ip route add 10.50.0.0/16 via 172.16.0.2"
soon "one that comes is used" without_kernel pings 10.50.0.1
ip -n "$LAN" link set eth0 address 52:54:00:00:00:77
in_ns "$LAN" ip neigh flush dev eth0
soon "a neighbour's new MAC address is learned" in_ns "$LAN" ping -c 1 -W 1 172.16.0.1
soon "and used" without_kernel pings 10.50.0.1
cable 1 off
soon "a link that goes down takes its routes along" never answers 172.16.0.2
cable 1 on
soon "and brings them back" without_kernel pings 172.16.0.2
guest "ip neigh flush dev pnic1"
soon "a neighbour that is forgotten is found again" without_kernel pings 172.16.0.2

expect "the session is on DTLS still" user_has anna 'DTLS cipher' '\(DTLS1\.2\)'
soon "what came in is what went out" balanced
