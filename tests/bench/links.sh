#!/usr/bin/env bash
# Links that go and come, and clients that move, under traffic: rows of doc/reliability.md, as tests/bench/faults.sh prints them.
#
#   anna 10.0.0.2 ──╮           ╭─ router: NAT for anna to 192.0.2.254, .253 ─╮
#                   ├─ a switch ┤                                             ├─ a switch ─ outer 192.0.2.1 gateway vpns0 10.99.0.1
#   bert 10.0.0.3 ──╯           ╰─ other router: 192.0.2.252 ─────────────────╯
#
#   tests/bench/links.sh [--markdown] [--outer auto|packet|xdp] [FAULT...]
#
# anna is on DTLS, bert on TLS alone; both are pinged through their tunnels every 10 ms, and anna has UDP both ways by iperf3, 500 packets
# a second each, where packets are counted. "Traffic after" is from the moment that the link is there again to the first answer.
SELF=$(readlink -f "$0")
. "$(dirname "$SELF")/../smoke/lib.sh"
. "$TOP/tests/bench/rows.sh"
MAY_LOG='.*' MAY_END=yes
SECOND=$NAME-d ROUTER=$NAME-r OTHER=$NAME-o EAST=$NAME-e WEST=$NAME-w
markdown='' wanted=() outers=()
while [ $# -gt 0 ]; do
  case $1 in
  --markdown) markdown=1 ;;
  --outer) outers+=("$2"); shift ;;
  -*) sed -n '2,/^SELF/{s/^# \{0,1\}//;/^SELF/d;p}' "$SELF"; exit 2 ;;
  *) wanted+=("$1") ;;
  esac
  shift
done
[ ${#outers[@]} -gt 0 ] || outers=(auto packet xdp)

# ------------------------------------------------------------------------------------------------------------ measuring

row() { table_row "$1 ($outer)" "$2" "$3" "$4"; }

declare -A probe
probes_start() {
  start probe-anna ip netns exec "$CLIENT" ping -n -D -i 0.01 -I tun0 $INSIDE
  probe[anna]=$pid
  start probe-bert ip netns exec "$SECOND" ping -n -D -i 0.01 -I tun0 $INSIDE
  probe[bert]=$pid
  wait_for 10 has "$WORK/probe-bert.log" icmp_seq=20
  logins_before=$(logins)
}
probes_stop() {
  local who
  for who in anna bert; do
    kill -INT "${probe[$who]}" && wait_for 5 gone "${probe[$who]}" || :
    rm -f "$WORK/probe-$who.log"
  done
}
logins() { grep -c 'logged in' "$WORK/gateway.log" || :; }
kept() { user_has anna State connected && user_has bert State connected && same "$(logins)" "$logins_before"; }

# Milliseconds from a moment to the first answer after it; 99999: none has come for so long.
answer_after() { # LABEL MOMENT_MS [SECONDS]
  local end=$(($(now_ms) + ${3:-20} * 1000)) at
  while [ "$(now_ms)" -lt "$end" ]; do
    at=$(sed -n 's/^\[\([0-9]*\)\.\([0-9]\{3\}\).*icmp_seq.*/\1\2/p' "$WORK/probe-$1.log" | awk -v t="$2" '$1 > t { print $1; exit }')
    [ -z "$at" ] || { echo $((at - $2)); return; }
    sleep 0.02
  done
  echo 99999
}
# The longest time without an answer since the beginning.
silent() { sed -n 's/^\[\([0-9.]*\)\].*icmp_seq.*/\1/p' "$WORK/probe-$1.log" | awk '{ if (NR > 1 && $1 - t > gap) gap = $1 - t; t = $1 } END { printf "%d\n", gap * 1000 }'; }
lost() { awk -F 'icmp_seq=' '/icmp_seq/ { n++; if ($2 + 0 > last) last = $2 + 0 } END { print last - n }' "$WORK/probe-$1.log"; }

# What is done while anna and bert are pinged; then from `there` on, both have to have traffic within a second.
there='' iperf=()
comes_back() { # FAULT
  local anna bert
  anna=$(answer_after anna "$there")
  bert=$(answer_after bert "$there")
  row "$1" "sessions kept, traffic within 1 s" \
    "traffic after $(seconds "$anna") over DTLS, $(seconds "$bert") over TLS; sessions kept: $(kept > /dev/null && echo yes || echo no)" \
    "$(verdict eval 'within "$anna" 1000 "$bert" 1000 && kept')"
}

# ------------------------------------------------------------------------------------------------------------- the network

switch() { add_netns "$1" && ip -n "$1" link add name switch type bridge && ip -n "$1" link set switch up; } # NETNS
plug() { # SWITCH NETNS INTERFACE ADDRESS[,ADDRESS]
  local port=p$RANDOM
  ip link add name "$3" netns "$2" type veth peer name "$port" netns "$1"
  ip -n "$1" link set "$port" master switch up
  set_address "$2" "$3" "$4"
  port_of[$2$3]=$port
}
declare -A port_of
build_network() {
  add_netns "$SERVER" "$CLIENT" "$SECOND" "$ROUTER" "$OTHER"
  switch "$EAST"
  switch "$WEST"
  plug "$EAST" "$SERVER" outer 192.0.2.1/24
  plug "$EAST" "$ROUTER" east 192.0.2.254/24,192.0.2.253/24
  plug "$EAST" "$OTHER" east 192.0.2.252/24
  plug "$WEST" "$ROUTER" west 10.0.0.1/24
  plug "$WEST" "$OTHER" west 10.0.0.254/24
  plug "$WEST" "$CLIENT" eth0 10.0.0.2/24
  plug "$WEST" "$SECOND" eth0 10.0.0.3/24
  in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.east.arp_notify=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.east.send_redirects=0
  in_ns "$OTHER" sysctl -qw net.ipv4.ip_forward=1
  in_ns "$SECOND" sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
  ip -n "$CLIENT" route add default via 10.0.0.1
  ip -n "$SECOND" route add default via 10.0.0.1
  ip -n "$SERVER" route add default via 192.0.2.254
}

# What comes of anna leaves from there, from now on; also what is under way, by the protocols that are named.
nat() { # ADDRESS UDP_PORTS [PROTOCOL_THAT_FORGETS...]
  local p
  in_ns "$ROUTER" nft -f - << NFT
table ip nat
delete table ip nat
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oif east ip saddr 10.0.0.2 ip protocol tcp snat to ${TCP:-192.0.2.254}
    oif east ip saddr 10.0.0.2 udp dport 443 snat to $1:$2
  }
}
NFT
  shift 2
  for p in "$@"; do in_ns "$ROUTER" conntrack -D -s 10.0.0.2 -p "$p" > /dev/null 2>&1 || :; done
}

# ----------------------------------------------------------------------------------------------------------------- faults

fault_carrier() {
  ip -n "$EAST" link set "${port_of[${SERVER}outer]}" down
  sleep 2
  there=$(now_ms)
  ip -n "$EAST" link set "${port_of[${SERVER}outer]}" up
  comes_back "no carrier outside for 2 s"
}
fault_link() {
  ip -n "$SERVER" link set outer down
  sleep 2
  there=$(now_ms)
  ip -n "$SERVER" link set outer up
  ip -n "$SERVER" route replace default via 192.0.2.254
  comes_back "the outer interface is down for 2 s"
}
fault_inner() {
  ip -n "$SERVER" link set vpns0 down
  sleep 2
  there=$(now_ms)
  ip -n "$SERVER" link set vpns0 up
  comes_back "the inner TAP is down for 2 s"
}
big() { in_ns "$CLIENT" ping -n -c 1 -W 0.1 -s 1300 -I tun0 $INSIDE && in_ns "$SECOND" ping -n -c 1 -W 0.1 -s 1300 -I tun0 $INSIDE; }
set_mtu() { ip -n "$SERVER" link set outer mtu "$1"; ip -n "$ROUTER" link set east mtu "$1"; } # MTU: both ends of the link
fault_mtu() {
  local took
  set_mtu 1280
  there=$(now_ms)
  wait_for 10 big && took=$(($(now_ms) - there)) || took=99999
  row "the outer link's MTU becomes 1280" "sessions kept, traffic within 1 s" \
    "packets of 1328 bytes cross after $(seconds "$took"); sessions kept: $(kept > /dev/null && echo yes || echo no); records cut by us: $(counter outer_fragmented)" \
    "$(verdict eval 'within "$took" 1000 && kept')"
  set_mtu 1500
  there=$(now_ms)
  comes_back "and 1500 again"
}
fault_mac() {
  ip -n "$ROUTER" link set east address 02:00:00:00:00:77
  there=$(now_ms)
  comes_back "the next hop gets another MAC address"
}
fault_router() {
  ip -n "$ROUTER" link set east down
  ip -n "$SERVER" route replace default via 192.0.2.252
  ip -n "$SECOND" route replace default via 10.0.0.254
  there=$(now_ms)
  local bert
  bert=$(answer_after bert "$there")
  row "the router dies, and default routes lead to another" "sessions kept, traffic within 1 s" \
    "traffic after $(seconds "$bert") over TLS; sessions kept: $(kept > /dev/null && echo yes || echo no)" "$(verdict eval 'within "$bert" 1000 && kept')"
  ip -n "$SECOND" route replace default via 10.0.0.1
  ip -n "$SERVER" route replace default via 192.0.2.254
  there=$(now_ms)
  ip -n "$ROUTER" link set east up
  comes_back "and is there again"
}
fault_address() {
  ip -n "$SERVER" addr del 192.0.2.1/24 dev outer
  sleep 1
  there=$(now_ms)
  ip -n "$SERVER" addr add 192.0.2.1/24 dev outer
  ip -n "$SERVER" route replace default via 192.0.2.254
  comes_back "the gateway is without its address for 1 s"
}
fault_flaps() {
  local i
  for i in 1 2 3 4 5; do
    ip -n "$SERVER" link set outer down
    sleep 0.3
    there=$(now_ms)
    ip -n "$SERVER" link set outer up
    ip -n "$SERVER" route replace default via 192.0.2.254
    nat 192.0.2.254 $((41000 + i * 1000))-$((41999 + i * 1000)) udp
    sleep 0.3
  done
  comes_back "the link flaps five times, and the NAT chooses another port each time"
}

# UDP both ways while something is done; sets up_lost, down_lost and sent.
under_udp() { # COMMAND...
  local up down
  in_ns "$CLIENT" iperf3 -c $INSIDE -p 5201 -u -t 6 -b 4M -l 1000 -J > "$WORK/up.json" &
  up=$!
  in_ns "$CLIENT" iperf3 -c $INSIDE -p 5202 -u -R -t 6 -b 4M -l 1000 -J > "$WORK/down.json" &
  down=$!
  sleep 3
  "$@"
  wait $up && wait $down
  up_lost=$(jq '.end.sum.lost_packets // 99999' "$WORK/up.json") down_lost=$(jq '.end.sum.lost_packets // 99999' "$WORK/down.json")
  sent="$(jq '.end.sum.packets // 0' "$WORK/up.json") and $(jq '.end.sum.packets // 0' "$WORK/down.json")"
}
moved_row() { # FAULT
  row "$1" "1 round trip, <= 5 packets lost" \
    "$up_lost packets lost up and $down_lost down, of $sent at one every 2 ms, and $(lost anna) pings; bert lost $(lost bert)" \
    "$(verdict within "$up_lost" 5 "$down_lost" 5 "$(lost bert)" 0)"
}
fault_port() {
  under_udp nat 192.0.2.254 50000-50999 udp
  moved_row "NAT chooses another port, over DTLS"
}
fault_roam() {
  under_udp nat 192.0.2.253 50000-50999 udp
  moved_row "a client has another address, over DTLS"
}
fault_both() {
  TCP=192.0.2.253 under_udp nat 192.0.2.253 51000-51999 udp tcp
  row "another address for both, DTLS and TLS" "1 round trip, <= 5 packets lost" \
    "$up_lost packets lost up and $down_lost down, of $sent at one every 2 ms, and $(lost anna) pings; comes again with its cookie: $(same "$(logins)" "$logins_before" > /dev/null && echo yes || echo no); bert lost $(lost bert)" \
    "$(verdict within "$up_lost" 5 "$down_lost" 5 "$(lost bert)" 0)"
}
fault_tcp() {
  local new=10.0.0.33
  ip -n "$SECOND" addr add $new/24 dev eth0
  there=$(now_ms)
  ip -n "$SECOND" addr del 10.0.0.3/24 dev eth0
  ip -n "$SECOND" route replace default via 10.0.0.1 src $new
  kill -USR2 "${client[bert]}" # as a network manager tells it
  local after
  after=$(answer_after bert "$there" 40)
  sleep 0.5
  row "a client has another address, over TLS" "comes with its cookie, traffic within 3 s" \
    "traffic after $(seconds "$after"), $(lost bert) of 100 packets a second lost; its session and address kept: $(same "$(user_field bert IPv4)" "$address" > /dev/null && kept > /dev/null && echo yes || echo no)" \
    "$(verdict eval 'within "$after" 3000 && same "$(user_field bert IPv4)" "$address" && kept')"
  ip -n "$SECOND" addr add 10.0.0.3/24 dev eth0
  ip -n "$SECOND" addr del $new/24 dev eth0
  ip -n "$SECOND" route replace default via 10.0.0.1 src 10.0.0.3
  kill -USR2 "${client[bert]}"
}

# Each of anna's datagrams comes from another port of another address, as of a NAT that is mad.
storm() {
  local port ports
  ports=$(for ((port = 0; port < 500; port++)); do printf '%d : %d, ' $port $((port + 20000)); done)
  port=$(in_ns "$ROUTER" conntrack -L -s 10.0.0.2 -p udp 2> /dev/null | sed -n 's/.*sport=\([0-9]*\) dport=443.*src=192.*/\1/p' | head -n 1)
  in_ns "$ROUTER" nft -f - << NFT
table ip mad {
  chain pre {
    type filter hook prerouting priority raw;
    iif west ip saddr 10.0.0.2 udp dport 443 notrack
    iif east ip daddr 192.0.2.253 udp sport 443 notrack ip daddr set 10.0.0.2 udp dport set $port udp checksum set 0
  }
  chain post {
    type filter hook postrouting priority 0;
    oif east ip saddr 10.0.0.2 udp dport 443 ip saddr set 192.0.2.253 udp sport set numgen inc mod 500 map { $ports }
  }
}
NFT
}
fault_storm() {
  local moved before
  before=$(counter paths_moved)
  storm
  sleep 5
  moved=$(($(counter paths_moved) - before))
  there=$(now_ms)
  in_ns "$ROUTER" nft delete table ip mad
  local after bert
  after=$(answer_after anna "$there")
  bert=$(lost bert)
  row "each datagram of one client from another port, for 5 s" "what is looked at is bounded, nobody else notices, its traffic is there within 1 s afterwards" \
    "$moved moves, $(lost anna) of its $(grep -c icmp_seq "$WORK/probe-anna.log") pings lost, bert lost $bert; traffic after $(seconds "$after"); sessions kept: $(kept > /dev/null && echo yes || echo no)" \
    "$(verdict eval 'within "$after" 1000 "$moved" 600 "$bert" 0 && kept')"
}

# The client's last flight of a handshake comes from another port than those before.
fault_handshake() {
  local took
  in_ns "$ROUTER" nft 'add table ip hold; add chain ip hold way { type filter hook forward priority 0; }; add rule ip hold way udp dport 443 @th,64,8 22 @th,168,8 16 drop'
  since=$(wc -l < "$WORK/gateway.log")
  kill -USR2 "${client[anna]}"
  wait_for 10 eval 'tail -n "+$((since + 1))" "$WORK/gateway.log" | grep -q "connected by worker"' || fail "anna comes again"
  wait_for 10 eval '[ "$(in_ns "$ROUTER" nft -j list table ip hold | grep -c .)" -gt 0 ]'
  sleep 0.7
  nat 192.0.2.254 $((52000 + RANDOM % 1000))-53999 udp
  there=$(now_ms)
  in_ns "$ROUTER" nft delete table ip hold
  wait_for 90 eval 'tail -n "+$((since + 1))" "$WORK/gateway.log" | grep -q "is on DTLS"' && took=$(($(now_ms) - there)) || took=99999
  row "the NAT chooses another port in the middle of a handshake" "traffic goes on over TLS; DTLS when the client tries again" \
    "silent for $(silent anna) ms; DTLS after $(seconds "$took")" "$(verdict within "$(silent anna)" 1000 "$took" 90000)"
}

# ------------------------------------------------------------------------------------------------------------------ all

settle() { wait_for 90 user_has anna Channel DTLS && wait_for 20 user_has bert State connected; }
all=(carrier link inner mtu mac router address port roam both tcp flaps storm handshake)
[ ${#wanted[@]} -gt 0 ] || wanted=("${all[@]}")

declare -A outer_of=([auto]=auto [packet]=outer [xdp]=net_af_xdp0,iface=outer)
build_network
for outer in "${outers[@]}"; do
  nat 192.0.2.254 40000-40999
  for ns in "$CLIENT" "$SECOND" "$SERVER"; do ip -n "$ns" route flush cache; done # of paths that were narrow
  gateway 192.0.2.1 <<< "outer = ${outer_of[$outer]}"
  login anna anna
  NETNS=$SECOND login bert bert --no-dtls
  address=$(user_field bert IPv4)
  for port in 5201 5202; do
    start iperf-$port ip netns exec "$SERVER" iperf3 -s -p $port
    iperf[${#iperf[@]}]=$pid
  done
  for fault in "${wanted[@]}"; do
    settle || fail "anna and bert are there"
    probes_start
    "fault_$fault"
    probes_stop
  done
  leave anna
  leave bert
  for pid in "${iperf[@]}"; do stop "$pid"; done
  iperf=()
  stop "$GATEWAY"
done
[ -n "$markdown" ] || say "$met met, $missed missed"
