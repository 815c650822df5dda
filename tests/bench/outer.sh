#!/usr/bin/env bash
# The ways to have an outer port on an interface that stays the kernel's, in turns: frames by net_af_packet, frames by net_af_xdp,
# datagrams by the kernel's own sockets. TCP throughput both ways over DTLS with a real client, and the gateway's CPU seconds per GB
# (lib.sh says how). A B C A B C ..., medians.
#
#   tests/bench/outer.sh [--runs N] [--seconds S] [--markdown]
set -euo pipefail
runs=3 seconds=4
. "$(dirname "$0")/lib.sh"
candidates=(net_af_packet net_af_xdp udp)
conf net_af_packet <<<"outer = out0"
conf net_af_xdp <<<"outer = net_af_xdp0,iface=out0"
conf udp <<<"outer = udp"

for i in $(seq "$runs"); do
  echo "run $i of $runs: ${candidates[*]}" >&2
  for which in "${candidates[@]}"; do
    start_gateway "$which"
    connect oc0
    note_transfers "$which"
    stop_pid "$client"
    stop_gateway
  done
done

if [ $markdown = yes ]; then
  echo "| outer port | up, Gbit/s | gateway, CPU s/GB | client, CPU s/GB | down, Gbit/s | gateway, CPU s/GB | client, CPU s/GB |"
  echo "|---|---:|---:|---:|---:|---:|---:|"
  form='| `%s` | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n'
else
  printf '%-14s %8s %8s %8s %10s %8s %8s   (Gbit/s, CPU s/GB of gateway and client)\n' "medians of $runs" up, gateway client down, gateway client
  form='%-14s %9.2f %8.2f %8.2f %10.2f %8.2f %8.2f\n'
fi
for which in "${candidates[@]}"; do
  row=()
  for what in up up_cpu up_client_cpu down down_cpu down_client_cpu; do row+=("$(median "${figures[$which,$what]}")"); done
  printf "$form" "$which" "${row[@]}"
done
