#!/usr/bin/env bash
# output-buffer: on a slow line a download makes everything else wait for what is queued before it; with few packets that may wait it
# waits less.
#
#   client ══ TLS, 3 Mbit/s ══ 192.0.2.1 gateway 10.99.0.1 ── iperf3 -s
. "$(dirname "$0")/lib.sh"

network
in_ns "$SERVER" tc qdisc add dev outer root tbf rate 3mbit burst 3kb limit 30kb || skip "no tbf in this kernel"
gateway 192.0.2.1 < /dev/null
iperf_server

# Milliseconds that a ping takes while a download runs: the median of ten.
delay() {
  start load ip netns exec "$CLIENT" iperf3 -c $INSIDE -R -t 30 -P 4
  local load=$pid
  sleep 1.5 # the queues fill
  in_ns "$CLIENT" ping -c 10 -i 0.1 -W 5 -I tun0 $INSIDE | sed -n 's/.*time=\([0-9]*\).*/\1/p' | sort -n | sed -n 5p
  stop "$load"
}
sndbuf() { in_ns "$SERVER" ss -Htmn 'sport = :443' | sed -n 's/.*,tb\([0-9]*\),.*/\1/p' | sort -n | tail -n 1; }

login client anna --no-dtls
long=$(delay)
expect "a ping waits for the download" more "$long" 50
leave client
soon "the client leaves" nobody
reload() { configure 192.0.2.1 && ctl reload; }
expect "a reload" reload <<< 'output-buffer = 4'
login client anna --no-dtls
expect "four packets fit into the kernel's buffer" more 20000 "$(sndbuf)"
short=$(delay)
expect "a ping waits for less than half of that" more "$long" $((2 * short))
soon "the download's end" pings $INSIDE
