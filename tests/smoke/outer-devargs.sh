#!/usr/bin/env bash
# The outer port as operators may name it: an interface, a DPDK device by its devargs. EAL arguments get through.
#
#   client eth0 192.0.2.2 ════ outer 192.0.2.1 gateway vpns0 10.99.0.1
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

network
works_with outer "an interface by its name"
works_with "net_af_packet7,iface=outer,framecnt=512,blocksz=65536,framesz=2048" "a device by its devargs" \
  "eal-args = --log-level=pmd:error"
