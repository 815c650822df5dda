#!/usr/bin/env bash
# Somebody between client and gateway keeps records and sends them again from an address of his own, as they were and forged. Only
# one that is newer than all the gateway has seen moves the tunnel, and the client's next one moves it back.
#
#   client 10.0.0.2 ── mallory's router 192.0.2.254 ── 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"
MALLORY=$NAME-m

add_netns "$SERVER" "$MALLORY" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$MALLORY" east 192.0.2.254/24
add_link "$CLIENT" eth0 10.0.0.2/24 "$MALLORY" west 10.0.0.1/24
ip -n "$SERVER" route add 10.0.0.0/24 via 192.0.2.254
ip -n "$CLIENT" route add default via 10.0.0.1
in_ns "$MALLORY" sysctl -qw net.ipv4.ip_forward=1

# The next data record of the client, in $WORK/FILE.
keeps() { # FILE
  in_ns "$MALLORY" tcpdump -i west -c 1 -w "$WORK/$1.pcap" 'udp dst port 443 and udp[8] = 23' > "$WORK/tcpdump.log" 2>&1 &
  local tcpdump=$!
  wait_for 10 has "$WORK/tcpdump.log" 'listening on'
  pings -q $INSIDE > /dev/null
  wait $tcpdump
  tail -c +$((24 + 16 + 14 + 20 + 8 + 1)) "$WORK/$1.pcap" > "$WORK/$1"
}
# A byte of it set to another value.
forges() { printf "\\$3" | dd of="$WORK/$1" bs=1 seek="$2" conv=notrunc status=none; } # FILE OFFSET OCTAL
sends() { in_ns "$MALLORY" bash -c 'exec 3<> /dev/udp/192.0.2.1/443; cat "$1" >&3' . "$WORK/$1"; } # FILE
looked_for() { [ "$(counter punt_stray)" = "$1" ]; }

gateway 192.0.2.1 < /dev/null
login client anna
soon "DTLS is up" client_on_dtls client
soon "both sides say so" user_has anna Channel DTLS
expect "mallory keeps a record" keeps record
sends record
soon "and sends it: it is looked at" looked_for 1
expect "a replay moves nothing" same "$(counter paths_moved)" 0
forges record 5 001 # far ahead of all that was seen
sends record
soon "and forged" looked_for 2
forges record 5 000
forges record 9 003 # a little ahead: sequence numbers are in clear
for n in 3 4 5; do
  forges record 25 00$n
  sends record
done
soon "in several ways" looked_for 5
expect "a forgery moves nothing" same "$(counter paths_moved)" 0
expect "the window is where it was: pings cross" pings $INSIDE

in_ns "$MALLORY" nft -f - << NFT
table inet mallory { chain forward { type filter hook forward priority 0; udp dport 443 drop; }; }
NFT
in_ns "$CLIENT" ping -c 1 -W 1 $INSIDE > /dev/null && fail "mallory drops what the client sends"
expect "mallory keeps one that never arrived" keeps newer
sends newer
moved() { [ "$(counter paths_moved)" = "$1" ]; }
soon "a newer one from elsewhere moves the path" moved 1
in_ns "$MALLORY" nft delete table inet mallory
soon "and the client's next one moves it back" answers $INSIDE
expect "once" same "$(counter paths_moved)" 2
