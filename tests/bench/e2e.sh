#!/usr/bin/env bash
# End to end, Penstock beside Debian's ocserv: the same openconnect, the same namespaces, the same certificate and user, in turns.
#
# Measures TCP throughput both ways over DTLS and the gateway's CPU seconds per GB. A B A B ..., medians. Prints a table of ratios;
# --markdown prints it for doc/performance.md.
#
#   tests/bench/e2e.sh [--runs N] [--seconds S] [--markdown]
set -euo pipefail
runs=5 seconds=5
. "$(dirname "$0")/lib.sh"
conf ocserv </dev/null
conf penstock </dev/null

measure() { # ocserv | penstock
  start_gateway "$1"
  connect oc0
  note_transfers "$1"
  stop_pid "$client"
  stop_gateway
}
for i in $(seq "$runs"); do
  echo "run $i of $runs: ocserv, then penstock" >&2
  measure ocserv
  measure penstock
done

# --------------------------------------------------------------------------------------------------------------- the table
row() { # WHAT TITLE better(more|less)
  local a b
  a=$(median "${figures[ocserv,$1]}"); b=$(median "${figures[penstock,$1]}")
  awk -v t="$2" -v a="$a" -v b="$b" -v better="$3" -v md=$markdown 'BEGIN {
    r = better == "more" ? b / a : a / b
    printf md == "yes" ? "| %s | %.4g | %.4g | %.2f |\n" : "%-46s %10.4g %10.4g %9.2f\n", t, a, b, r }'
}
if [ $markdown = yes ]; then
  echo "| what | ocserv | Penstock | times better |"; echo "|---|---|---|---|"
else
  printf '%-46s %10s %10s %9s\n' "medians of $runs" ocserv penstock better
fi
row up "client to gateway, TCP over DTLS, Gbit/s" more
row up_cpu "  gateway CPU seconds per GB" less
row up_client_cpu "  client CPU seconds per GB" less
row down "gateway to client, TCP over DTLS, Gbit/s" more
row down_cpu "  gateway CPU seconds per GB" less
row down_client_cpu "  client CPU seconds per GB" less
