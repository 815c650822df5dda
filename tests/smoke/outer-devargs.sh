#!/usr/bin/env bash
# The outer port as operators may name it: an interface, a DPDK device by its devargs, AF_XDP. EAL arguments get through.
# AF_XDP takes all that arrives on its interface, so it gets a cable of its own, on which the client's UDP comes.
#
#   client eth0 192.0.2.2 ═══ TCP, and UDP at first ═══ outer  192.0.2.1 gateway vpns0 10.99.0.1
#          eth1           ═══ UDP at last           ═══ xdp0
. "$(dirname "$0")/lib.sh"

works_with() { # OUTER WHAT [MORE]
  say "--- outer = $1"
  gateway 192.0.2.1 <<< "outer = $1"$'\n'"${3-}"
  login anna anna
  soon "DTLS over $2" client_on_dtls anna
  expect "pings cross" pings $INSIDE
  expect "and large packets" pings -s 1300 $INSIDE
  leave anna
  stop "$GATEWAY"
  GATEWAY=
}

udp_by_another_cable() {
  local ns
  add_link "$SERVER" xdp0 203.0.113.1/24 "$CLIENT" eth1 203.0.113.2/24
  for ns in "$SERVER" "$CLIENT"; do in_ns "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; done
  # Nobody answers ARP behind AF_XDP.
  ip -n "$CLIENT" neigh replace 203.0.113.1 lladdr "$(in_ns "$SERVER" cat /sys/class/net/xdp0/address)" dev eth1
  ip -n "$CLIENT" route add default via 203.0.113.1 dev eth1 table 100
  ip -n "$CLIENT" rule add ipproto udp dport 443 lookup 100 priority 10
  in_ns "$CLIENT" sysctl -qw net.ipv4.conf.eth1.rp_filter=0
}

network
works_with outer "an interface by its name"
works_with "net_af_packet7,iface=outer,framecnt=512,blocksz=65536,framesz=2048" "a device by its devargs" \
  "eal-args = --log-level=pmd:error"
udp_by_another_cable
works_with "net_af_xdp0,iface=xdp0" "AF_XDP"
