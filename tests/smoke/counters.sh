#!/usr/bin/env bash
# What a session carried is counted to the byte: over DTLS and over CSTP, each way, on whatever core, across a change of channel and
# a new connection with the same cookie.
#
#   client tun0 ═══ DTLS, CSTP, DTLS again ═══ 192.0.2.1 gateway vpns0 10.99.0.1, as many cores as there are
. "$(dirname "$0")/lib.sh"

# What has crossed, and what the gateway has to say about it: packets and bytes, from the client and to it.
rx=0 rx_bytes=0 tx=0 tx_bytes=0
crossed() { # RX SIZE TX SIZE
  rx=$((rx + $1)) rx_bytes=$((rx_bytes + $1 * $2)) tx=$((tx + $3)) tx_bytes=$((tx_bytes + $3 * $4))
}
counted() {
  local keys='"\(."RX packets") packets, \(.RX) bytes in, \(."TX packets") packets, \(.TX) bytes out"'
  same "$(ctl -j show id "$(user_field anna ID)" | jq -r "if type == \"array\" then .[0] else . end | $keys")" \
    "$rx packets, $rx_bytes bytes in, $tx packets, $tx_bytes bytes out"
}
datagrams() { # NETNS ADDRESS N SIZE: to a port that nobody answers at
  in_ns "$1" bash -c 'for ((i = 0; i < $2; i++)); do printf "%0$3d" 0 > "/dev/udp/$1/9"; done' - "$2" "$3" "$4"
}
traffic() { # pings both ways, and UDP each way
  in_ns "$CLIENT" ping -q -i 0.01 -c 80 -s 1000 $INSIDE > "$WORK/ping.log" || fail "pings cross"
  crossed 80 1028 80 1028
  datagrams "$CLIENT" 203.0.113.1 33 100
  crossed 33 128 0 0
  datagrams "$SERVER" "$address" 17 1300
  crossed 0 0 17 1328
}
come() { # LABEL
  login_with_cookie "$1" "$cookie"
  soon "DTLS is up" client_on_dtls "$1"
  ip -n "$CLIENT" route replace 203.0.113.1 dev tun0
}

network
gateway 192.0.2.1 << CONF
dpd = 2
poll-core = 0-$(($(nproc) > 1 ? 1 : 0))
CONF
ip -n "$SERVER" route add blackhole 203.0.113.1
in_ns "$CLIENT" nft -f - << NFT
table inet quiet { chain input { type filter hook input priority 0; iifname tun0 udp dport 9 drop; }; }
NFT
cookie=$(get_cookie anna anna-secret)
come first
address=$(user_field anna IPv4)
traffic
soon "what crossed over DTLS is counted: $rx packets in, $tx out" counted

in_ns "$CLIENT" nft -f - << NFT
table inet broken { chain output { type filter hook output priority 0; oifname eth0 udp dport 443 drop; }; }
NFT
PATIENCE=20 soon "the client has given UDP up" client_says first 'DTLS handshake failed|DTLS Dead Peer Detection detected'
PATIENCE=20 soon "so has the gateway" user_has anna Channel CSTP
traffic
soon "what crossed over CSTP is counted beside it" counted
in_ns "$CLIENT" nft delete table inet broken

kill -KILL "${client[first]}"
soon "the log tells what the connection carried" has "$WORK/gateway.log" \
  "'anna' disconnected from .* \(after [0-9]+ s, rx: $rx_bytes, tx: $tx_bytes\)"
before_in=$rx_bytes before_out=$tx_bytes
come second
expect "the session remembers" counted
traffic
soon "and goes on counting" counted
leave second
soon "the log tells what the second connection carried" has "$WORK/gateway.log" \
  "'anna' disconnected from .*by the user \(after [0-9]+ s, rx: $((rx_bytes - before_in)), tx: $((tx_bytes - before_out))\)"
