#!/usr/bin/env bash
# A client whose path is narrower than its tunnel: its records come in fragments, and are whole again in the gateway.
#
#   client eth0 ═══ route with mtu 700 (IPv4), 1280 (IPv6) ═══ outer 192.0.2.1, 2001:db8::1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"

network
gateway <<< "outer = outer"
login four anna
soon "DTLS is up over IPv4" client_on_dtls four # where a packet socket's kernel puts fragments together before we see them
ip -n "$CLIENT" route add 192.0.2.1 dev eth0 mtu lock 700
before=$(counter dtls_data_in)
expect "large pings cross in fragments" pings -s 1300 $INSIDE
expect "over DTLS" more "$(counter dtls_data_in)" $((before + 2))
leave four
soon "the client has gone" nobody

HOST='[2001:db8::1]' login six anna
soon "DTLS is up over IPv6" client_on_dtls six
ip -n "$CLIENT" route add 2001:db8::1 dev eth0 mtu lock 1280
before=$(counter reassembled)
expect "large pings cross in fragments" pings -s 1300 $INSIDE
expect "which the gateway has put together" more "$(counter reassembled)" $((before + 2))
