#!/usr/bin/env bash
# Every packet that comes is accounted for: packets in = packets out + drops, exactly, whatever came, on one core and on two, for each
# core and for all of them together.
#
#   anna ═══ DTLS ═════╗
#   bert ═══ TLS ══════╬═ 10.0.0.0/24 ═ router, bends some records ═ 192.0.2.1 gateway vpns0 10.99.0.1
#   nobody ── nonsense ╝
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 10.0.0.2/24 "$ROUTER" west 10.0.0.1/24
ip -n "$SERVER" route add 10.0.0.0/24 via 192.0.2.254
ip -n "$CLIENT" route add default via 10.0.0.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1

# One answer: what holds for its numbers holds for one moment, more or less.
adds_up() { ctl -j show dataplane | jq -e '."packets in" == ."packets out" + ."packets dropped"' > /dev/null; }
each_adds_up() {
  ctl -j show dataplane cores | jq -e '[.counters | group_by(.thread)[] | select(.[0].thread != "control") |
    (map(select(.role | IN("in", "taken")) | .value) | add) == (map(select(.role | IN("out", "given", "drop")) | .value) | add)] | all' > /dev/null
}
counted() { more "$(counter "$1")" 0; } # COUNTER

# A ClientHello whose session nobody has, records that are cut off or of no known type, and something else altogether.
nonsense() {
  in_ns "$CLIENT" bash << 'SCRIPT'
exec 3<> /dev/udp/192.0.2.1/443
zeros=$(printf '\\0%.0s' {1..32}) letters=$(printf 'A%.0s' {1..32})
for _ in {1..10}; do
  printf '%b' "\x16\xfe\xff${zeros:0:16}\0\x58\x01\0\0\x4c\0\0${zeros:0:10}\x4c\xfe\xfd$zeros\x20$letters${zeros:0:18}" >&3
  printf '%b' "\x17\xfe\xfd\0\x01${zeros:0:10}\x01\x05\0cut off" >&3
  printf '%b' "\x17\xfe\xfd\0\x01${zeros:0:10}\x01\0\x20$letters" >&3
  printf '%b' "\x16\xfe\xfd${zeros:0:16}\0\x04none" >&3
  printf '%b' "GET / HTTP/1.1" >&3
done
SCRIPT
}
unanswered() { ip netns exec "$1" ping -q -c 2 -i 0.1 -W 1 "${@:2}" > /dev/null 2>&1 || true; } # NETNS PING_ARGUMENT...
bends() { # every twentieth record on its way to the gateway
  in_ns "$ROUTER" nft -f - << NFT
table inet bent { chain forward { type filter hook forward priority 0; udp dport 443 numgen inc mod 20 0 @th,400,8 set 0x5a; }; }
NFT
}

of_every_kind() { # CORES
  gateway 192.0.2.1 << CONF
poll-core = $1
CONF
  login anna anna
  soon "anna's DTLS is up" client_on_dtls anna
  INTERFACE=tun1 login bert bert --no-dtls
  expect "pings cross, over DTLS and TLS" eval 'pings -I tun0 $INSIDE && pings -I tun1 $INSIDE'
  iperf_server
  local server=$pid
  SECONDS_OF_IPERF=1 expect "TCP runs both ways" eval 'more "$(megabits)" 1 && more "$(megabits -R)" 1'
  stop "$server"
  bends
  in_ns "$CLIENT" ping -q -f -c 400 -s 1200 -I tun0 $INSIDE > "$WORK/flood.log" || true
  in_ns "$ROUTER" nft delete table inet bent
  nonsense
  ip -n "$CLIENT" addr add 10.99.77.77/32 dev tun0
  unanswered "$SERVER" 10.99.0.250 & # nobody's
  local other=$!
  unanswered "$CLIENT" -I 10.99.77.77 $INSIDE # forged
  wait "$other"
  for name in dtls_data_in dtls_data_out cstp_out worker_rx punt_hello drop_bad_mac drop_unknown_app_id drop_malformed_record \
    drop_no_tunnel drop_spoof; do
    soon "there are some of $name" counted "$name"
  done
  leave bert
  leave anna
  soon "what came in is what went out" adds_up
  soon "on each core, too" each_adds_up
  MAY_END=1
  stop "$GATEWAY"
}

of_every_kind 0
[ "$(nproc)" -lt 2 ] || of_every_kind 0-1
