#!/usr/bin/env bash
# The inner port as operators may name it: our own TAP (the default), the same without segment offload, and DPDK's driver for one.
#
#   client eth0 192.0.2.2 ════ outer 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"

driver() { ctl -j show dataplane | jq -r '.ports[] | select(.role == "inner") | .driver'; }
begin_with() { # INNER DRIVER [CONFIGURATION]
  say "--- inner = $1"
  gateway 192.0.2.1 <<< "inner = $1"$'\n'"${3-}"
  expect "the inner port's driver is $2" same "$(driver)" "$2"
  login anna anna
  soon "DTLS is up" client_on_dtls anna
  expect "pings cross" pings $INSIDE
  expect "and large packets" pings -s 1300 $INSIDE
  expect "a file arrives at the gateway as it was" carries_file "$CLIENT" "$SERVER" $INSIDE
  expect "and at the client" carries_file "$SERVER" "$CLIENT" "$(given anna INTERNAL_IP4_ADDRESS)"
}
end_with() {
  leave anna
  stop "$GATEWAY"
  GATEWAY=
}

network
begin_with tap penstock "ipv6-network = fd99::/48"
expect "packets were put together for the kernel" more "$(counter inner_coalesced)" 1000
expect "and cut from its large frames" more "$(counter inner_cut)" 1000
expect "a file arrives over IPv6" carries_file "$CLIENT" "$SERVER" fd99::1
expect "both ways" carries_file "$SERVER" "$CLIENT" "$(given anna INTERNAL_IP6_ADDRESS)"
expect "every frame of the kernel was understood" same "$(counter drop_uncut)" 0
iperf_server
SECONDS_OF_IPERF=1
expect "datagrams arrive at the gateway" more 20 "$(lost_percent -b 50M)"
expect "and at the client" more 20 "$(lost_percent -b 50M -R)"
end_with

begin_with tap,plain penstock
expect "nothing was put together" same "$(counter inner_coalesced)" 0
expect "or cut" same "$(counter inner_cut)" 0
end_with

begin_with net_tap net_tap
end_with

say "--- inner = tap, where somebody else has the interface"
MAY_END=1
ip -n "$SERVER" link add vpns0 type veth peer name other
configure 192.0.2.1 < /dev/null
expect "the gateway does not start" never start_gateway "$SERVER"
expect "and says why" has "$WORK/gateway.log" 'device = vpns: the interface vpns0 is there already'
