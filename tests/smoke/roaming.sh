#!/usr/bin/env bash
# The client's address changes under a running tunnel: its NAT chooses another port, then another address. Packets go on.
#
#   client 10.0.0.2 ── router: NAT to 192.0.2.254, then .253 ── 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24,192.0.2.253/24
add_link "$CLIENT" eth0 10.0.0.2/24 "$ROUTER" west 10.0.0.1/24
ip -n "$CLIENT" route add default via 10.0.0.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1

# From now on DTLS comes from there, also what is under way.
nat() { # ADDRESS PORTS
  in_ns "$ROUTER" nft -f - << NFT
table ip nat
delete table ip nat
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oif east ip protocol tcp snat to ${TCP:-192.0.2.254}
    oif east udp dport 443 snat to $1:$2
  }
}
NFT
  in_ns "$ROUTER" conntrack -D -p udp > /dev/null 2>&1 || :
}

# Twenty pings in two seconds; what becomes of them is in $WORK/LABEL.log.
pinging() { start "$1" in_ns "$CLIENT" ping -c 20 -i 0.1 -W 2 $INSIDE; } # LABEL
lost() { # LABEL
  wait_for 10 has "$WORK/$1.log" 'packets transmitted' || return 1
  sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$WORK/$1.log" | { read -r sent got; say $((sent - got)); }
}
answered() { [ "$(grep -c 'bytes from' "$WORK/$1.log")" -ge "$2" ]; } # LABEL COUNT

nat 192.0.2.254 40000-40999
gateway 192.0.2.1 < /dev/null
login client anna
soon "DTLS is up" client_on_dtls client
soon "both sides say so" user_has anna Channel DTLS
handshakes=$(counter punt_hello)

pinging port
soon "pings cross" answered port 5
nat 192.0.2.254 50000-50999
lost=$(lost port)
expect "the NAT changes the port: $lost pings are lost" more 6 "$lost"
soon "the gateway has followed" has "$WORK/gateway.log" "moved to 192.0.2.254:50"
pinging address
soon "pings cross" answered address 5
nat 192.0.2.253 40000-50999
lost=$(lost address)
expect "the NAT changes the address: $lost pings are lost" more 6 "$lost"
soon "the gateway has followed" has "$WORK/gateway.log" "moved to 192.0.2.253:"
expect "twice, and no more" same "$(counter paths_moved)" 2
expect "without a new handshake" same "$(counter punt_hello)" "$handshakes"
expect "over DTLS" user_has anna Channel DTLS
leave client
soon "the client has gone" nobody

configure 192.0.2.1 <<< "deny-roaming = true"
ctl reload > /dev/null
login still anna
soon "DTLS is up for a session that may not roam" client_on_dtls still
soon "both sides say so" user_has anna Channel DTLS
nat 192.0.2.253 20000-20999
soon "its NAT may choose another port" answers $INSIDE
expect "which the gateway has followed" same "$(counter paths_moved)" 3
unknown=$(counter drop_unknown_path)
nat 192.0.2.254 20000-20999
expect "but not another address" never answers $INSIDE
expect "that is nobody's" more "$(counter drop_unknown_path)" "$unknown"
expect "and the path stays" same "$(counter paths_moved)" 3
leave still
soon "the client has gone" nobody

cookie=$(get_cookie anna anna-secret)
TCP=192.0.2.253 nat 192.0.2.254 40000-40999
login_with_cookie stolen "$cookie"
expect "nor is its cookie good from there" client_says stolen '401|rejected'
nat 192.0.2.254 40000-40999
login_with_cookie own "$cookie"
expect "but where its user has logged in" client_up own
