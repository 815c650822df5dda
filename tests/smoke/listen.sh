#!/usr/bin/env bash
# Addresses to listen on that are named twice, or are part of another one; and one that somebody else has.
#
#   client ════ 192.0.2.1, twice; 0.0.0.0; 2001:db8::1, by its name too: gateway
. "$(dirname "$0")/lib.sh"
MAY_END=yes

listening() { in_ns "$SERVER" ss -Hnl"$1" | awk '{ print $4 }' | sort | tr '\n' ' '; } # t or u

network
gateway 192.0.2.1 192.0.2.1 0.0.0.0 2001:db8::1 192.0.2.1 2001:db8:0::1 < /dev/null
expect "each address is taken once, for TCP" same "$(listening t)" '0.0.0.0:443 [2001:db8::1]:443 '
expect "and for UDP" same "$(listening u)" '0.0.0.0:443 [2001:db8::1]:443 '
login client anna
soon "DTLS is up" client_on_dtls client
HOST='[2001:db8::1]' INTERFACE=tun1 login other bert
soon "on the other one too" client_on_dtls other
sed -i 's/^tcp-port.*/tcp-port = 444/' "$CONFIG"
expect "a reload brings another port" ctl reload
expect "everywhere" same "$(listening t)" '0.0.0.0:444 [2001:db8::1]:444 '
expect "those who are there stay" pings -I tun0 $INSIDE
stop "${client[other]}"
HOST='[2001:db8::1]:444' INTERFACE=tun1 login another bert
start tcp ip netns exec "$SERVER" openssl s_server -accept '[2001:db8::1]:445' -cert "$WORK/cert.pem" -key "$WORK/key.pem"
occupied() { matches "$(listening t)" '2001:db8::1\]:445'; }
soon "somebody has the next port, at one of the addresses" occupied
sed -i 's/^tcp-port.*/tcp-port = 445/' "$CONFIG"
expect "that reload is refused" never ctl reload
expect "which is said" has "$WORK/gateway.log" 'tcp-port 445: cannot listen on 2001:db8::1: .*in use'
expect "and nothing has changed" same "$(listening t)" '0.0.0.0:444 [2001:db8::1]:444 [2001:db8::1]:445 '
stop "$pid"
stop "$GATEWAY"

refused() { in_ns "$SERVER" timeout 20 "$BIN/penstockd" -f -c "$CONFIG" 2>&1 || :; }
configure 192.0.2.1 2001:db8::1 < /dev/null
start tcp ip netns exec "$SERVER" openssl s_server -accept 192.0.2.1:443 -cert "$WORK/cert.pem" -key "$WORK/key.pem"
occupied() { matches "$(listening t)" '192\.0\.2\.1:443'; }
soon "somebody has the TCP port" occupied
expect "which is said, with the options" matches "$(refused)" 'listen-host 192\.0\.2\.1, tcp-port 443: .*in use'
stop "$pid"
start udp ip netns exec "$SERVER" perl -MSocket=:all -e 'socket(S, PF_INET6, SOCK_DGRAM, 0) or die;
  bind(S, pack_sockaddr_in6(443, inet_pton(AF_INET6, "2001:db8::1"))) or die; sleep'
occupied() { matches "$(listening u)" '2001:db8::1\]:443'; }
soon "somebody has the UDP port" occupied
expect "which is said likewise" matches "$(refused)" 'listen-host 2001:db8::1, udp-port 443: .*in use'
