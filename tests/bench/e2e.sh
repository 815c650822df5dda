#!/usr/bin/env bash
# End to end, Penstock beside Debian's ocserv: the same openconnect, the same namespaces, the same certificate and user, in turns.
#
# Measures TCP throughput both ways over DTLS, the gateway's CPU seconds per GB, logins a second, server CPU per login, and the
# memory of an idle session. A B A B ..., medians. Prints a table of ratios; --markdown prints it for doc/performance.md.
#
#   tests/bench/e2e.sh [--runs N] [--seconds S] [--logins N] [--markdown]
set -euo pipefail
runs=5 seconds=5 logins=200
. "$(dirname "$0")/lib.sh"
conf ocserv </dev/null
conf penstock </dev/null

processes() { [ "$(tree "$gateway" | wc -l)" = "$1" ]; } # N
# N: into $memory KiB of an idle session, of a gateway that has so many processes without one: private pages and page tables, the mean of
# 10 workers; into $share with their part of shared pages, too. Not in a subshell, which would forget the clients that it has started.
session_memory() {
  local i before=() now=() clients=() p n=10 idle_s=8
  until_true 20 "the workers of before to end" processes "$1"
  mapfile -t before < <(tree "$gateway")
  for i in $(seq $n); do connect "mem$i"; clients+=("$client"); done
  until_true 5 "$n workers" processes $(($1 + n))
  sleep $idle_s
  mapfile -t now < <(tree "$gateway")
  read -r memory share < <(for p in "${now[@]}"; do
    [[ " ${before[*]} " == *" $p "* ]] && continue
    awk '/^Private/ {private += $2} /^Pss:/ {pss += $2} /^VmPTE:/ {private += $2; pss += $2} END {print private, pss}' \
      "/proc/$p/smaps_rollup" "/proc/$p/status"
  done | awk -v n=$n '{a += $1; b += $2} END {printf "%.0f %.0f\n", a / n, b / n}')
  for p in "${clients[@]}"; do stop_pid "$p"; done
}
measure() { # ocserv | penstock
  local which=$1 login idle
  start_gateway "$which"
  idle=$(tree "$gateway" | wc -l)
  connect oc0
  note_transfers "$which"
  stop_pid "$client"
  login=$(storm -n "$logins" -p 8) || fail "$which: logins failed: $login"
  note "$which" logins "$(jq .rate <<<"$login")"
  note "$which" login_ms "$(jq .cpu_ms <<<"$login")"
  session_memory "$idle"
  note "$which" memory "$memory"
  note "$which" share "$share"
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
row logins "logins a second, 8 at once" more
row login_ms "  gateway CPU per login, ms" less
row memory "memory of an idle session, KiB" less
row share "  with its part of shared pages" less
