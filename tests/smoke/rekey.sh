#!/usr/bin/env bash
# Keys get old while packets flow both ways: DTLS is ended by an alert and begun anew by the client, TLS 1.3 changes its keys within
# the connection. Nothing is lost.
#
#   anna (PSK-NEGOTIATE, TLS 1.3) ════╮
#   bert (AES-256-SHA, DTLS 0.9) ═════╪═ 192.0.2.1 gateway vpns0 10.99.0.1, rekey-time = 3
#   carl (TLS 1.2) ═══════════════════╯
# Alone: not one packet may be lost, and a client that gets no CPU loses some.
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
rekey-time = 3
rekey-method = ssl
CONF
add_user carl carl-secret > /dev/null
iperf_server
login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert --dtls-ciphers=AES256-SHA
soon "bert's DTLS is up" client_on_dtls bert
INTERFACE=tun2 login carl carl --gnutls-priority=NORMAL:-VERS-TLS1.3
soon "carl's DTLS is up" client_on_dtls carl

handshakes() { grep -c 'Established DTLS connection' "$WORK/$1.log"; } # LABEL
flood() { in_ns "$CLIENT" ping -I "$2" -i 0.003 -c 3000 -s 200 -q $INSIDE > "$WORK/flood-$1.log" 2>&1; } # LABEL INTERFACE
flood anna tun0 & anna=$!
flood bert tun1 & bert=$!
wait $anna $bert || fail "pings cross"
all_came() { has "$WORK/flood-$1.log" '3000 packets transmitted, 3000 received'; } # LABEL
expect "not one of anna's 3000 packets was lost, nor of the answers" all_came anna
expect "nor of bert's" all_came bert
several() { more "$(handshakes "$1")" 2; } # LABEL
soon "anna has had several handshakes" several anna
soon "and so has bert" several bert
soon "her TLS was rekeyed within its connection" client_says anna 'CSTP rekey due'
expect "which she never left" same "$(grep -c 'Got CONNECT response' "$WORK/anna.log")" 1
soon "she is on DTLS" user_has anna Channel DTLS
expect "carl, on TLS 1.2, came with a new one instead" more "$(grep -c 'Got CONNECT response' "$WORK/carl.log")" 1
expect "with his old address" same "$(given carl INTERNAL_IP4_ADDRESS)" "$(user_field carl IPv4)"
