#!/usr/bin/env bash
# No key is used twice with the same number: all that goes over UDP is captured while keys get old, a client moves, processes die, and the
# configuration and the program change under traffic; then the capture is gone through.
#
#   anna 10.0.0.2 ── router: NAT to 192.0.2.254 ── 192.0.2.1 gateway vpns0 10.99.0.1, rekey-time = 3
#                      bert 192.0.2.254 ═══════════╯   ╰ tcpdump
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'
ROUTER=$NAME-r
NONCES=$TOP/tests/smoke/data/nonces.py

expect "forged captures are seen through" "$NONCES" --self-test
add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 10.0.0.2/24 "$ROUTER" west 10.0.0.1/24
ip -n "$CLIENT" route add default via 10.0.0.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1

nat() { # PORTS of anna's UDP, also of what is under way
  in_ns "$ROUTER" nft -f - << NFT
table ip nat
delete table ip nat
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oif east ip saddr 10.0.0.2 ip protocol tcp snat to 192.0.2.254
    oif east ip saddr 10.0.0.2 udp dport 443 snat to 192.0.2.254:$1
  }
}
NFT
  in_ns "$ROUTER" conntrack -D -s 10.0.0.2 -p udp > /dev/null 2>&1 || :
}

# Cross both ways, all the time: anna's twenty times as often, so that their numbers differ. A ping ends with the loop that has started it.
traffic() { # LABEL NETNS INTERFACE INTERVAL
  start "ping-$1" ip netns exec "$2" sh -c 'while :; do setpriv --pdeathsig TERM ping -q -i "$1" -c 1000000 -I "$2" '"$INSIDE"' || sleep 0.1; done' sh "$4" "$3"
}
rekeyed() { [ "$(grep -c 'Established DTLS connection' "$WORK/$1.log")" -ge "$2" ]; } # LABEL TIMES
handshakes() { grep -c 'Established DTLS connection' "$WORK/anna.log"; }
# Something happens; then both are on DTLS again, by new keys or by those of before, and packets cross.
then_goes_on() { # NEW_HANDSHAKES_OF_ANNA
  [ "$1" = 0 ] || soon "anna's keys are new" rekeyed anna $((before + $1))
  PATIENCE=30 soon "packets cross" eval 'answers -I tun0 $INSIDE && NETNS=$ROUTER answers -I tun1 $INSIDE'
  PATIENCE=30 soon "over DTLS" eval 'user_has anna Channel DTLS && user_has bert Channel DTLS'
  before=$(handshakes)
}
kill_part() { kill -KILL "$(pid_of "$1")"; } # KEY
is_another() { local now; now=$(pid_of "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ] && gateway_online; } # KEY PID

nat 40000-40999
gateway 192.0.2.1 << CONF
rekey-time = 3
CONF
start tcpdump ip netns exec "$SERVER" tcpdump -i outer -s 0 -B 65536 --immediate-mode -U -w "$WORK/udp.pcap" udp port 443
tcpdump=$pid
soon "the wire is watched" has "$WORK/tcpdump.log" 'listening on outer'
login anna anna
NETNS=$ROUTER INTERFACE=tun1 login bert bert
soon "anna is on DTLS" client_on_dtls anna
soon "and so is bert" client_on_dtls bert
before=$(handshakes)
iperf_server
traffic anna "$CLIENT" tun0 0.005
traffic bert "$ROUTER" tun1 0.1
expect "bursts go through" eval 'more "$(megabits -b 40M)" 1 && more "$(megabits -R -b 40M)" 1'

say "- a client moves"
port=50000
moves() { # it may have got new keys just then, from there: then it moves again
  nat "$port-$((port + 999))"
  port=$((port < 58000 ? port + 1000 : 50000))
  wait_for 1 has "$WORK/gateway.log" 'moved to 192.0.2.254:5'
}
soon "the gateway follows" moves
then_goes_on 0

say "- keys get old"
then_goes_on 1

say "- a worker dies"
kill -KILL "$(pgrep -P "$(pid_of 'Nursery PID')" | head -n 1)"
soon "that is reported" has "$WORK/gateway.log" 'worker 1 .*: died of signal 9'
then_goes_on 1

say "- the configuration is loaded again, another program takes over"
expect "a reload" ctl reload
expect "an upgrade" ctl upgrade
then_goes_on 0

say "- sec-mod and the nursery die"
secmod=$(pid_of 'Sec-mod PID') nursery=$(pid_of 'Nursery PID')
kill -KILL "$secmod" "$nursery"
soon "others take their place" eval 'is_another "Sec-mod PID" "$secmod" && is_another "Nursery PID" "$nursery"'
then_goes_on 0

say "- the dataplane dies, and so does the next one before there are new keys; another penstockd, and it dies again"
connects=$(grep -c 'CSTP connected' "$WORK/anna.log")
dataplane_dies() {
  dataplane=$(pid_of 'Dataplane PID')
  kill -KILL "$dataplane"
  soon "another takes its place" is_another 'Dataplane PID' "$dataplane"
}
dataplane_dies
dataplane_dies
then_goes_on 1
expect "an upgrade" ctl upgrade
dataplane_dies
then_goes_on 1
expect "she never had to connect anew" same "$(grep -c 'CSTP connected' "$WORK/anna.log")" "$connects"

say "- what the wire has seen"
captured() { stat -c %s "$WORK/udp.pcap"; }
before=$(captured)
soon "also the newest keys" eval 'more "$(captured)" $((before + 50000))'
stop "$tcpdump"
expect "nothing was missed" has "$WORK/tcpdump.log" '^0 packets dropped by kernel'
expect "no number was used twice under any key" eval '"$NONCES" "$WORK/udp.pcap" 443 > "$WORK/nonces.log"'
read -r _ keys _ moves _ client _ gateway _ farewells < "$WORK/nonces.log"
say "$keys keys, $moves moves, $client records of clients, $gateway of the gateway, $farewells with numbers that no dataplane uses"
expect "that is all that has happened" eval 'more "$keys" 6 && more "$moves" 0 && more "$client" 1000 && more "$gateway" 1000 && more "$farewells" 1'

# The proof of the proof: the last packet of the capture that the gateway sent, once more.
cp "$WORK/udp.pcap" "$WORK/twice.pcap"
in_ns "$SERVER" tcpdump -r "$WORK/udp.pcap" -w - 'src port 443' 2>> "$WORK/tcpdump.log" | tail -c +25 > "$WORK/gateway.records"
/usr/bin/python3 -c '
import struct, sys
data, at = open(sys.argv[1], "rb").read(), 0
while at < len(data):
    last, at = at, at + 16 + struct.unpack_from("=L", data, at + 8)[0]
sys.stdout.buffer.write(data[last:])' "$WORK/gateway.records" >> "$WORK/twice.pcap"
expect "with one packet twice it would have been found" eval '! "$NONCES" "$WORK/twice.pcap" 443 > "$WORK/twice.log" && has "$WORK/twice.log" "gateway: epoch 1, sequence [0-9]+ in packets"'
