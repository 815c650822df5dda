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

measure() { # ocserv | penstock
  local kind said what
  start_gateway "$1"
  for kind in few login tunnel; do
    # shellcheck disable=SC2086
    said=$(storm -n "$logins" ${options[$kind]}) || true
    for what in failed rate cpu_ms login_p50_ms login_p99_ms connect_p50_ms connect_p99_ms dtls_p50_ms dtls_p99_ms; do
      note "$1" "$kind.$what" "$(jq ".$what // 0" <<<"$said")"
    done
  done
  stop_gateway
}
for i in $(seq "$runs"); do
  echo "run $i of $runs: ocserv, then penstock" >&2
  measure ocserv
  measure penstock
done

row() { # WHAT TITLE
  local a b
  a=$(median "${figures[ocserv,$1]}"); b=$(median "${figures[penstock,$1]}")
  printf "$format" "$2" "$a" "$b"
}
if [ $markdown = yes ]; then
  format='| %s | %.4g | %.4g |\n'
  echo "| what | ocserv | Penstock |"; echo "|---|---:|---:|"
else
  format='%-56s %10.4g %10.4g\n'
  printf '%-56s %10s %10s\n' "medians of $runs" ocserv penstock
fi
row few.rate "logins a second, 8 at a time"
row few.cpu_ms "  server CPU a login, ms"
row login.failed "$logins logins at once: failed"
row login.rate "  a second"
row login.login_p50_ms "  p50, ms"
row login.login_p99_ms "  p99, ms"
row login.cpu_ms "  server CPU a login, ms"
row tunnel.failed "$logins at once with CONNECT and DTLS: failed"
row tunnel.rate "  a second"
row tunnel.login_p50_ms "  login p50, ms"
row tunnel.login_p99_ms "  login p99, ms"
row tunnel.connect_p50_ms "  from the login to CONNECT p50, ms"
row tunnel.connect_p99_ms "  from the login to CONNECT p99, ms"
row tunnel.dtls_p50_ms "  from there to DTLS p50, ms"
row tunnel.dtls_p99_ms "  from there to DTLS p99, ms"
row tunnel.cpu_ms "  server CPU a session, ms"
