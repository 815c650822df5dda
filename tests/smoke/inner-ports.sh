#!/usr/bin/env bash
# The inner port as operators may name it: our own TAP (the default), and DPDK's driver for one.
#
#   client eth0 192.0.2.2 ════ outer 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"

driver() { ctl -j show dataplane | jq -r '.ports[] | select(.role == "inner") | .driver'; }
works_with() { # INNER DRIVER
  say "--- inner = $1"
  gateway 192.0.2.1 <<< "inner = $1"
  expect "the inner port's driver is $2" same "$(driver)" "$2"
  login anna anna
  soon "DTLS is up" client_on_dtls anna
  expect "pings cross" pings $INSIDE
  expect "and large packets" pings -s 1300 $INSIDE
  leave anna
  stop "$GATEWAY"
  GATEWAY=
}

network
works_with tap penstock
works_with net_tap net_tap

say "--- inner = tap, where somebody else has the interface"
MAY_END=1
ip -n "$SERVER" link add vpns0 type veth peer name other
configure 192.0.2.1 < /dev/null
expect "the gateway does not start" never start_gateway "$SERVER"
expect "and says why" has "$WORK/gateway.log" 'device = vpns: the interface vpns0 is there already'
