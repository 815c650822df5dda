#!/usr/bin/env bash
# A storm of logins, Penstock beside Debian's ocserv, in turns: N at once, all out of one process; the same with CONNECT and DTLS; and 8
# at a time, which is what CPU time is compared by. The hash of the password costs nothing, the same for both.
#
#   tests/bench/storm.sh [--runs N] [--logins N] [--markdown]
set -euo pipefail
runs=5 logins=500
network=172.20.0.0/16
. "$(dirname "$0")/lib.sh"
printf 'alice:*:%s\n' "$(perl -e 'print crypt("secret", "ab")')" >"$work/passwd"
conf ocserv </dev/null
conf penstock </dev/null

# Name and options of each storm.
declare -A options=([login]="" [tunnel]="-c -d" [few]="-p 8")

storms() { # ocserv | penstock
  local kind said what
  for kind in few login tunnel; do
    # shellcheck disable=SC2086
    said=$(storm -n "$logins" ${options[$kind]}) || true
    for what in failed rate cpu_ms login_p50_ms login_p99_ms connect_p50_ms connect_p99_ms dtls_p50_ms dtls_p99_ms; do
      note "$1" "$kind.$what" "$(jq ".$what // 0" <<<"$said")"
    done
  done
}

# KiB of an idle session, TLS and DTLS up, the mean of N: its process's private pages and page tables, and with its share of others.
memory() { # ocserv | penstock, N
  local before=() now=() private share p idle_s=8
  mapfile -t before < <(tree "$gateway")
  mkfifo "$work/hold"
  storm -n "$2" -d -k <"$work/hold" >"$work/storm.log" &
  exec 8>"$work/hold"
  until_true 30 "$2 sessions" grep -q '^open' "$work/storm.log"
  sleep $idle_s
  mapfile -t now < <(tree "$gateway")
  read -r private share < <(for p in "${now[@]}"; do
    [[ " ${before[*]} " == *" $p "* ]] && continue
    awk '/^Private/ {private += $2} /^Pss:/ {pss += $2} /^VmPTE:/ {private += $2; pss += $2} END {print private, pss}' \
      "/proc/$p/smaps_rollup" "/proc/$p/status"
  done | awk -v n="$2" '{a += $1; b += $2} END {printf "%.0f %.0f\n", a / n, b / n}')
  exec 8>&-
  wait $!
  rm "$work/hold"
  note "$1" "memory.$2" "$private"
  note "$1" "share.$2" "$share"
}

processes() { [ "$(tree "$gateway" | wc -l)" = "$1" ]; } # N
measure() { # ocserv | penstock
  local idle n
  start_gateway "$1"
  idle=$(tree "$gateway" | wc -l)
  for n in 10 100; do
    until_true 20 "the workers of before to end" processes "$idle"
    memory "$1" $n
  done
  storms "$1"
  stop_gateway
}
for i in $(seq "$runs"); do
  echo "run $i of $runs: ocserv, then penstock" >&2
  measure ocserv
  measure penstock
done

row() { # WHAT TITLE [more|less]: what is better
  local a b
  a=$(median "${figures[ocserv,$1]}"); b=$(median "${figures[penstock,$1]}")
  # shellcheck disable=SC2059
  printf "$format" "$2" "$a" "$b" "$(awk -v a="$a" -v b="$b" -v better="${3-}" 'BEGIN {
    if (better && a && b) printf "%.1f", better == "more" ? b / a : a / b }')"
}
if [ $markdown = yes ]; then
  format='| %s | %.4g | %.4g | %s |\n'
  echo "| what | ocserv | Penstock | times better |"; echo "|---|---:|---:|---:|"
else
  format='%-56s %10.4g %10.4g %8s\n'
  printf '%-56s %10s %10s %8s\n' "medians of $runs" ocserv penstock better
fi
row few.rate "logins a second, 8 at a time" more
row few.cpu_ms "  server CPU a login, ms" less
row login.failed "$logins logins at once: failed"
row login.rate "  a second" more
row login.login_p50_ms "  p50, ms" less
row login.login_p99_ms "  p99, ms" less
row login.cpu_ms "  server CPU a login, ms" less
row tunnel.failed "$logins at once with CONNECT and DTLS: failed"
row tunnel.rate "  a second" more
row tunnel.login_p50_ms "  login p50, ms" less
row tunnel.login_p99_ms "  login p99, ms" less
row tunnel.connect_p50_ms "  from the login to CONNECT p50, ms" less
row tunnel.connect_p99_ms "  from the login to CONNECT p99, ms" less
row tunnel.dtls_p50_ms "  from there to DTLS p50, ms" less
row tunnel.dtls_p99_ms "  from there to DTLS p99, ms" less
row tunnel.cpu_ms "  server CPU a session, ms" less
for n in 10 100; do
  row memory.$n "memory of an idle session, mean of $n, KiB" less
  row share.$n "  with its share of pages that are not its own" less
done
