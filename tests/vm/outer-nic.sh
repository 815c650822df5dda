#!/usr/bin/env bash
# NICs of the dataplane's own as outer port, by the models that DPDK has drivers for here.
#
#   client eth0 192.0.2.2 ════ e1000e, vmxnet3, virtio-net ─┬─ guest: dataplane ─ vpns0 10.99.0.1
#                                                           └─ pnic0 192.0.2.1: the kernel
. "$(dirname "$0")/lib.sh"

add_netns "$CLIENT"
nic e1000e "$CLIENT"
INTERFACE=eth1 nic vmxnet3 "$CLIENT"
INTERFACE=eth2 nic virtio-net-pci "$CLIENT" 2
boot

# Datagrams of many flows, which nobody asked for.
both_cores_receive() {
  local flow before after
  before=$(ctl -j show dataplane | jq -c '[.cores[].packets]')
  for flow in $(seq 32); do
    in_ns "$CLIENT" bash -c 'for i in 1 2 3 4; do printf x > /dev/udp/192.0.2.1/443; done'
  done
  after=$(ctl -j show dataplane | jq -c '[.cores[].packets]')
  jq -en --argjson a "$before" --argjson b "$after" '[range($a | length) | $b[.] - $a[.] > 20] | length == 2 and all'
}

# Sleeps a second and core, of those that have nothing to do. Naps would be thousands.
sleeps() { ctl -j show dataplane | jq '[.cores[].sleeps] | add / length'; }
cores_sleep() {
  local start=$EPOCHREALTIME before
  before=$(sleeps)
  jq -en "($(sleeps) - $before) / ($EPOCHREALTIME - $start) < 300" > /dev/null
}
# As this gateway says, not one before it.
interrupts_stay_away() {
  awk '/is up: TCP/ { said = 0 } /interrupts do not come/ { said = 1 } END { exit !said }' "$WORK/gateway.log"
}

carrier_is() { guest "[ \$(cat /sys/class/net/pnic0/carrier) = $1 ]"; }

link_changes() { # N
  cable "$1" off
  soon "the kernel sees the link go down" carrier_is 0
  cable "$1" on
  soon "and come back" carrier_is 1
  soon "the session has stayed" answers $INSIDE
}

# A gateway on NIC N and a client that comes by it.
works_with() { # N MODEL [MORE]
  say "--- $2"
  set_address "$CLIENT" "eth$1" 192.0.2.2/24,2001:db8::2/64
  gateway 192.0.2.1 2001:db8::1 << CONF
outer = $(nic_pci "$1")
nic-address = pnic0 192.0.2.1/24
nic-address = pnic0 2001:db8::1/64
${3-}
CONF
  soon "the kernel answers ARP and ICMP through its side of the NIC" answers 192.0.2.1
  soon "and neighbour discovery and ICMPv6" answers 2001:db8::1
  login "$2" anna
  soon "DTLS is up over $2" client_on_dtls "$2"
  expect "pings cross" pings $INSIDE
  expect "and large packets" pings -s 1300 $INSIDE
  expect "what was not ours went both ways through the kernel" more "$(counter kernel_rx)" 10
  expect "and was counted" more "$(counter kernel_tx)" 10
  [ $# -lt 3 ] || expect "both cores receive" both_cores_receive
  [ "$1" = 0 ] || link_changes "$1"
  leave "$2"
  HOST='[2001:db8::1]' login "$2-ipv6" bert
  soon "DTLS is up over IPv6" client_on_dtls "$2-ipv6"
  expect "pings cross: checksums are right" pings $INSIDE
  leave "$2-ipv6"
  if [ "$2" != e1000e ]; then # DPDK's driver for it gives no vector to the queue
    soon "cores without work sleep until the NIC's interrupt comes" cores_sleep
    expect "and it always came" never interrupts_stay_away
  fi
  stop_gateway
  ip -n "$CLIENT" addr flush dev "eth$1"
}

works_with 0 e1000e
works_with 1 vmxnet3
works_with 2 virtio-net "poll-core = 0-1"

# A gateway that does not start, and says why.
refuses() { # OUTER REGEX
  configure 192.0.2.1 <<< "outer = $1"
  matches "$(guest "timeout 30 $BIN/penstockd -f -c $CONFIG" || :)" "$2"
}
say "--- what is wrong is said"
expect "a NIC that is not there" refuses 0000:00:1f.7 'outer = 0000:00:1f\.7: there is no such PCI device'
guest "echo 0000:00:10.0 > /sys/bus/pci/drivers/vfio-pci/unbind"
expect "a NIC that nobody has bound" refuses "$(nic_pci 0)" 'the device is bound to no driver, not to vfio-pci: driverctl set-override 0000:00:10\.0'
guest "echo 0 > /proc/sys/vm/nr_hugepages"
expect "no huge pages" refuses "$(nic_pci 1)" "a NIC of the dataplane's own takes huge pages"
