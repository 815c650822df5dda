#!/usr/bin/env bash
# Several poll cores: each has its own queues; a client's tunnel belongs to one of them, and whatever comes to another is handed over.
#
#   anna, bert ════ 192.0.2.1 eth0 ─┬─ queue 0 ─ core on CPU 0 ─ queue 0 ─┬ vpns0 10.99.0.1
#                                   └─ queue 1 ─ core on CPU 1 ─ queue 1 ─┘
. "$(dirname "$0")/lib.sh"
[ "$(nproc)" -ge 2 ] || skip "one CPU is no two cores"

network
gateway 192.0.2.1 << CONF
poll-core = 0-1
CONF
cores() { ctl -j show dataplane | jq "[.cores[] | $1] | ${2:-add}"; } # FIELD [HOW]
expect "there are two" same "$(cores .cpu length)" 2
login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert
soon "bert's DTLS is up" client_on_dtls bert
expect "both tunnels have a core" same "$(cores .tunnels)" 2
expect "anna's pings cross" pings -I tun0 $INSIDE
expect "bert's pings cross" pings -I tun1 $INSIDE
iperf_server
expect "TCP and UDP run both ways" carries_traffic
expect "nothing was lost between the cores" same "$(counter drop_hand_full)" 0
leave anna
leave bert
soon "the clients have gone" nobody
