#!/usr/bin/env bash
# An operator looks at one session's packets: their stages and what became of them, and a file that tcpdump reads.
#
#   anna ═══ DTLS ═════════════╗
#   bert ═══ TLS (--no-dtls) ══╩═ 192.0.2.1 gateway vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
CONF
login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
id() { user_field "$1" ID; }

ways() { jq -r '.[] | "\(.Direction) \(.Stages): \(.Verdict)"' "$WORK/trace.json" | sort | uniq -c | sed 's/^ *//'; }

trace() { # USER PACKETS PING_ARGUMENT...: pings while a trace is under way
  local user=$1 packets=$2
  shift 2
  ctl -j trace session "$(id "$user")" "$packets" > "$WORK/trace.json" &
  local tracing=$!
  while kill -0 $tracing 2> /dev/null; do in_ns "$CLIENT" ping -q -c 1 -W 1 "$@" > /dev/null 2>&1 || true; done
  wait $tracing
}
expect "anna's packets are traced" trace anna 6 -I tun0 $INSIDE
expect "in by DTLS" has <(ways) '^[2-4] in dtls_in > inner_in > tx_inner: inner_tx$'
expect "and out" has <(ways) '^[2-4] out cstp_out > dtls_out > tx_outer: outer_tx$'
expect "with their ends" matches "$(jq -r '.[0].Inner' "$WORK/trace.json")" '^10\.99\.0\.[0-9]+ > 10\.99\.0\.[0-9]+ ICMP$'
expect "bert's are, too" trace bert 4 -I tun1 $INSIDE
expect "by TLS" same "$(ways)" $'2 in lane_in > inner_in > tx_inner: inner_tx\n2 out cstp_out: cstp_out'
ip -n "$CLIENT" addr add 10.99.77.77/32 dev tun0
ip -n "$CLIENT" route add $INSIDE dev tun0 # not by bert's, whose route to it is as good
expect "forged ones" trace anna 2 -I 10.99.77.77 $INSIDE
expect "say why they end" has <(ways) 'in dtls_in > inner_in: drop_spoof'

touch "$WORK/anna.pcapng" "$WORK/not-ours.pcapng" # of before, for all to read
chown nobody "$WORK/not-ours.pcapng"
expect "a file of somebody else's is left alone" never ctl capture session "$(id anna)" "$WORK/not-ours.pcapng" seconds=1
expect "anna's packets are captured" eval 'ctl capture session "$(id anna)" "$WORK/anna.pcapng" packets=8 2> "$WORK/capture.log" &
  captures=$!; while kill -0 $captures 2> /dev/null; do pings -c 1 -I tun0 $INSIDE; done; wait $captures'
expect "as many as were wanted" has "$WORK/capture.log" '^8 packets: as many packets as were wanted$'
shown() { tcpdump -nr "$WORK/anna.pcapng" 2> /dev/null; }
expect "both sides are there" same "$(shown | grep -c ICMP) $(shown | grep -c 'UDP\|192\.0\.2\.1\.443')" "8 8"
expect "nobody else may read it" same "$(stat -c %a "$WORK/anna.pcapng")" 600
expect "seconds end it, too" ctl capture session "$(id anna)" "$WORK/none.pcapng" seconds=1
expect "what is no limit is said" never ctl capture session "$(id anna)" "$WORK/none.pcapng" packets=0
expect "a trace ends after its seconds, too" same "$(ctl trace session "$(id anna)" seconds=1)" 'the time is over'
expect "nobody's session, too" never ctl trace session 99 1

# The operator hangs up. No more than four may look at once: each of these has to make room.
for i in {1..6}; do
  start look ip netns exec "$SERVER" "$BIN/penstockctl" -s "$WORK/admin.socket" capture session "$(id anna)" - seconds=600
  soon "operator $i looks" eval '[ "$(grep -c "seconds=600" "$WORK/gateway.log")" = $i ]'
  stop "$pid"
done
expect "those who hung up are forgotten" ctl capture session "$(id anna)" "$WORK/none.pcapng" seconds=1

ctl capture session "$(id anna)" "$WORK/end.pcapng" 2> "$WORK/end.log" &
captures=$!
soon "a capture has begun" has "$WORK/gateway.log" 'capture session 1$'
leave anna
wait $captures || true
expect "it ends with its connection" has "$WORK/end.log" 'the connection has ended'
