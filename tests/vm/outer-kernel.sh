#!/usr/bin/env bash
# What is not ours on a NIC of ours: the kernel behind it lives as if the NIC were its own.
#
#   client eth0 192.0.2.2 ────────────── wire ─── e1000e ── guest: dataplane ── pnic0   192.0.2.1: the kernel
#          eth1 192.0.7.2 ─── switch ─────┘                                     pnic0.7 192.0.7.1
#                        adds the tag 7
#
# The switch is a second namespace of the guest's kernel.
. "$(dirname "$0")/lib.sh"

WIRE=$NAME-w
add_netns "$CLIENT" "$WIRE"
INTERFACE=gateway nic e1000e "$WIRE"
INTERFACE=switch kernel_nic "$WIRE"
INTERFACE=eth1 kernel_nic "$CLIENT"
add_link "$WIRE" client '' "$CLIENT" eth0 192.0.2.2/24,2001:db8::2/64
boot
ip -n "$WIRE" link add wire up type bridge
for end in gateway switch client; do ip -n "$WIRE" link set $end master wire; done
gateway 192.0.2.1 192.0.7.1 2001:db8::1 << CONF
outer = $(nic_pci 0)
nic-address = pnic0 192.0.2.1/24
nic-address = pnic0 2001:db8::1/64
nic-route = pnic0 198.51.100.0/24 192.0.2.2
CONF
soon "the kernel answers" answers 192.0.2.1
soon "over IPv6, too" answers 2001:db8::1
expect "with the NIC's MAC address" matches "$(ip -n "$CLIENT" neigh show 192.0.2.1)" "$(nic_mac 0)"
expect "the route that nic-route gives is there" guest ip route get 198.51.100.1 oif pnic0

say "--- another server of the machine's"
guest "iperf3 -s -1 -D -p 22 -B 192.0.2.1 --forceflush --logfile /run/iperf.log"
soon "it listens" guest ss -Hltn sport = 22 '| grep -q .'
expect "TCP from outside reaches it" in_ns "$CLIENT" iperf3 -c 192.0.2.1 -p 22 -n 300K
expect "large packets come whole: fragments are the kernel's" pings -s 4000 192.0.2.1
expect "the kernel reaches the client" guest ping -c 1 -W 2 192.0.2.2

say "--- a session by the NIC"
login anna anna
soon "DTLS is up" client_on_dtls anna
expect "pings cross" pings $INSIDE

say "--- VLAN"
guest_nic() { say "\$(ls /sys/bus/pci/devices/$(nic_pci "$1")/virtio*/net)"; }
guest "ip netns add switch && ip link set $(guest_nic 1) netns switch name trunk && ip link set $(guest_nic 2) netns switch name access &&
  ip -n switch link set trunk up && ip -n switch link add link trunk name trunk.7 type vlan id 7 && ip -n switch link add switch up type bridge &&
  ip -n switch link set trunk.7 master switch up && ip -n switch link set access master switch up"
set_address "$CLIENT" eth1 192.0.7.2/24
guest "ip link add link pnic0 name pnic0.7 type vlan id 7 && ip addr add 192.0.7.1/24 dev pnic0.7 && ip link set pnic0.7 up"
soon "the kernel's VLAN interface answers" answers 192.0.7.1
HOST=192.0.7.1 INTERFACE=tun1 login bert bert
soon "DTLS is up with tags" client_on_dtls bert
expect "pings cross" pings -I tun1 $INSIDE
leave bert

say "--- the link"
carrier_is() { guest "[ \$(cat /sys/class/net/pnic0/carrier) = $1 ]"; }
port_is() { ctl -j show dataplane | jq -e --argjson up "$1" '.ports[] | select(.driver == "net_e1000_em") | .up == $up' > /dev/null; }
expect "it is up" carrier_is 1
cable 0 off
soon "the kernel sees it go down" carrier_is 0
expect "show dataplane says so" port_is false
cable 0 on
soon "and come back" carrier_is 1
expect "show dataplane says so" port_is true
soon "the session has stayed" answers -I tun0 $INSIDE
expect "on DTLS" user_has anna 'DTLS cipher' '\(DTLS1\.2\)'

say "--- MAC addresses"
guest "ip link set pnic0 address 52:54:00:00:00:99"
in_ns "$CLIENT" ip neigh flush dev eth0
soon "the NIC takes the one that the kernel is given" answers 192.0.2.1
expect "and answers with it" matches "$(ip -n "$CLIENT" neigh show 192.0.2.1)" "52:54:00:00:00:99"
guest "ip link add link pnic0 name second type macvlan && ip addr add 192.0.2.77/24 dev second && ip link set second up"
soon "a second one on it is heard, too" answers 192.0.2.77
expect "sessions do not mind" pings -I tun0 $INSIDE

soon "what came in is what went out" balanced
expect "nothing was too much for the kernel" same "$(counter drop_kernel_full)" 0

say "--- vhost-net instead of a TAP, and large frames"
leave anna
stop_gateway
gateway 192.0.2.1 << CONF
outer = $(nic_pci 0)
nic-address = pnic0 192.0.2.1/24
nic-kernel = vhost
mtu = 4000
CONF
for end in gateway client wire; do ip -n "$WIRE" link set $end mtu 9000; done
ip -n "$CLIENT" link set eth0 mtu 9000
ip -n "$CLIENT" neighbour flush dev eth0 # it may believe in the MAC address of before for most of a minute
soon "the kernel answers" answers 192.0.2.1
expect "by vhost-net" matches "$(ctl -j show dataplane | jq -r '.ports[] | select(.role == "kernel") | .driver')" virtio
expect "frames of 8000 bytes cross" pings -s 8000 -M "do" 192.0.2.1
login again anna
soon "DTLS is up" client_on_dtls again
expect "pings cross" pings $INSIDE
soon "what came in is what went out" balanced
cable 0 off
soon "the kernel sees the link go down" carrier_is 0
cable 0 on
soon "and come back" carrier_is 1
