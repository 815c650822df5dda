#!/usr/bin/env bash
# Ways to have a TAP, in turns: ours with segment offload, ours without, DPDK's driver. One core forwards packets between two of the
# same kind, and a TCP stream of iperf3 goes through (dataplane_tap.c); the kernel behind each is in a namespace of its own.
#
#   a: iperf3 ── tap0 ── one core, packets ── tap1 ── b: iperf3
#
# Throughput, and per CPU second of that core, which pays for the kernel's way up to the socket, too. A B C A B C ..., medians.
#
#   tests/bench/tap.sh [--runs N] [--seconds S] [--markdown]
set -euo pipefail
runs=5 seconds=3
. "$(dirname "$0")/run.sh"
a=pta$id b=ptb$id
listens() { [ -n "$(ip netns exec "$b" ss -Hltn 'sport = :5201')" ]; }

add_spaces "$a" "$b"
declare -A rate per_cpu
measure() { # KIND
  local core server json cpu bits
  : >"$work/core.log"
  ip netns exec "$a" "$build/bench/dataplane_tap" "$1" >"$work/core.log" 2>&1 &
  core=$!
  pids+=("$core")
  until_true 20 "the TAPs" grep -q ready "$work/core.log"
  ip -n "$a" link set tap1 netns "$b"
  ip -n "$a" addr add 10.78.0.1/24 dev tap0; ip -n "$b" addr add 10.78.0.2/24 dev tap1
  ip -n "$a" link set tap0 up; ip -n "$b" link set tap1 up
  ip netns exec "$b" iperf3 -s -1 >"$work/iperf.log" 2>&1 &
  server=$!
  pids+=("$server")
  until_true 5 iperf3 listens
  json=$(ip netns exec "$a" iperf3 -J -c 10.78.0.2 -t "$seconds") || fail "iperf3"
  kill "$core"
  wait "$core" "$server" || true
  cpu=$(tail -n 1 "$work/core.log")
  bits=$(jq '.end.sum_received.bytes * 8' <<<"$json")
  rate[$1]+="$(jq '.end.sum_received.bits_per_second / 1e9' <<<"$json") "
  per_cpu[$1]+="$(awk -v bits="$bits" -v cpu="$cpu" 'BEGIN {print bits / cpu / 1e9}') "
}
kinds=(net_tap "tap,plain" tap)
for i in $(seq "$runs"); do
  echo "run $i of $runs: ${kinds[*]}" >&2
  for kind in "${kinds[@]}"; do measure "$kind"; done
done

median() { tr ' ' '\n' <<<"$1" | grep . | sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
if [ $markdown = yes ]; then
  echo "| TAP | TCP, Gbit/s | Gbit/s per core | beside DPDK's driver |"; echo "|---|---:|---:|---:|"
  form='| `%s` | %.2f | %.2f | %.2f |\n'
else
  printf '%-12s %14s %18s %10s\n' "medians of $runs" "TCP, Gbit/s" "Gbit/s per core" times
  form='%-16s %14.2f %18.2f %10.2f\n'
fi
first=$(median "${per_cpu[net_tap]}")
for kind in "${kinds[@]}"; do
  core=$(median "${per_cpu[$kind]}")
  printf "$form" "$kind" "$(median "${rate[$kind]}")" "$core" "$(awk -v x="$core" -v y="$first" 'BEGIN {print x / y}')"
done
