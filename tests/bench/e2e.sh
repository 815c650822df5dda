#!/usr/bin/env bash
# End to end, Penstock beside Debian's ocserv: the same openconnect, the same namespaces, the same certificate and user, in turns.
#
#   client namespace                          server namespace
#   iperf3 ─ tun ─ openconnect ── veth ────── gateway under test ─ tun or tap ─ iperf3
#
# Measures TCP throughput both ways over DTLS, the gateway's CPU seconds per GB, logins a second, server CPU per login, and the
# memory of an idle session. A B A B ..., medians. Prints a table of ratios; --markdown prints it for doc/performance.md.
#
#   tests/bench/e2e.sh [--runs N] [--seconds S] [--logins N] [--markdown]
set -euo pipefail
runs=5 seconds=5 logins=200 markdown=no
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --logins) logins=$2; shift 2 ;;
    --markdown) markdown=yes; shift ;;
    *) echo "usage: $0 [--runs N] [--seconds S] [--logins N] [--markdown]" >&2; exit 2 ;;
  esac
done
build=$(realpath "${BUILD:-build}")
work=$(mktemp -d) id=$$
chmod 711 "$work" # ocserv's workers reach its socket there as nobody
srv=pbs$id cli=pbc$id
pids=()

stop_pid() { # PID: end it and wait until it has gone
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 500); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done # ocserv takes up to 15 s
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
cleanup() {
  for p in "${pids[@]}"; do stop_pid "$p"; done
  ip netns del "$srv" 2>/dev/null || true
  ip netns del "$cli" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "$0: $*" >&2; tail -n 20 "$work"/*.log >&2; exit 1; }
until_true() { # SECONDS WHAT COMMAND...: wait for a condition
  local left=$(($1 * 20)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ] || fail "waited too long for $what"; sleep 0.05; done
}

# ---------------------------------------------------------------------------------------------------------------- the world
ip netns add "$srv"; ip netns add "$cli"
ip link add out0 netns "$srv" type veth peer name out0 netns "$cli"
ip -n "$srv" addr add 10.77.0.1/24 dev out0; ip -n "$cli" addr add 10.77.0.2/24 dev out0
for ns in "$srv" "$cli"; do ip -n "$ns" link set lo up; ip -n "$ns" link set out0 up; done
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 30 -subj /CN=bench 2>/dev/null
pin=pin-sha256:$(openssl x509 -in "$work/cert.pem" -pubkey -noout | openssl pkey -pubin -outform der 2>/dev/null |
  openssl dgst -sha256 -binary | base64)
# One file for both, as ocserv's own tool writes it, so that the password hash costs the same.
printf 'secret\nsecret\n' | ocpasswd -c "$work/passwd" alice
cat >"$work/common.conf" <<CONF
auth = "plain[passwd=$work/passwd]"
tcp-port = 443
udp-port = 443
socket-file = $work/socket
server-cert = $work/cert.pem
server-key = $work/key.pem
isolate-workers = true
max-clients = 0
max-same-clients = 0
max-ban-score = 0
dpd = 90
keepalive = 32400
device = vpns
use-occtl = true
ipv4-network = 192.168.99.0/24
CONF
{ cat "$work/common.conf"; echo "occtl-socket-file = $work/occtl"; echo "pid-file = $work/ocserv.pid"; echo 'run-as-user = nobody'
  echo 'run-as-group = daemon'; } >"$work/ocserv.conf"
{ cat "$work/common.conf"; echo "occtl-socket-file = $work/ctl"; echo "pid-file = $work/penstock.pid"; echo 'run-as-user = nobody'
  echo 'run-as-group = daemon'; } >"$work/penstock.conf"
cat >"$work/script" <<'SCRIPT'
#!/bin/sh
[ "$reason" = connect ] || exit 0
ip link set "$TUNDEV" up mtu "$INTERNAL_IP4_MTU"
[ "$TUNDEV" = oc0 ] || exit 0
ip addr add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip route add 192.168.99.0/24 dev "$TUNDEV"
SCRIPT
chmod +x "$work/script"

# ------------------------------------------------------------------------------------------------------------- the gateways
gateway='' # pid of its main process
listening() { [ -n "$(ip netns exec "$srv" ss -Hltn 'sport = :443')" ]; }
start_gateway() { # ocserv | penstock
  case $1 in
    ocserv) ip netns exec "$srv" ocserv -f -c "$work/ocserv.conf" >"$work/ocserv.log" 2>&1 & ;;
    penstock) ip netns exec "$srv" "$build/penstockd" -f -c "$work/penstock.conf" >"$work/penstock.log" 2>&1 & ;;
  esac
  gateway=$!
  pids+=("$gateway")
  until_true 30 "$1 to listen" listening
  until_true 30 "$1 to take a login" one_login # ocserv listens before its security module does
}
one_login() { ip netns exec "$cli" "$build/bench/worker_login" 10.77.0.1 443 alice secret 1 1 | grep -q '^1 0 '; }
stop_gateway() { stop_pid "$gateway"; until_true 10 "the gateway to go" not_listening; }
not_listening() { ! listening; }
tree() { # PID...: it and all its descendants
  local p; for p in "$@"; do echo "$p"; tree $(cat "/proc/$p/task/$p/children" 2>/dev/null); done
}
ticks() { # CPU of the whole gateway so far, in clock ticks, those reaped included
  local p; for p in $(tree "$gateway"); do sed 's/.*) //' "/proc/$p/stat" 2>/dev/null; done |
    awk '{s += $12 + $13} END {print s + 0}'
}
reaped_ticks() { local p; for p in $(tree "$gateway"); do sed 's/.*) //' "/proc/$p/stat" 2>/dev/null; done | awk '{s += $14 + $15} END {print s + 0}'; }
poll_thread_ticks() { # of penstock; 0 for others
  local p t
  for p in $(tree "$gateway"); do
    for t in /proc/$p/task/*; do
      case $(cat "$t/comm" 2>/dev/null) in *rte-worker* | *lcore-worker*) sed 's/.*) //' "$t/stat" ;; esac
    done
  done | awk '{s += $12 + $13} END {print s + 0}'
}
busy_us() { "$build/penstockctl" -s "$work/ctl" -j show dataplane | jq '[.cores[].raw_busy_us] | add'; }
cpu_now() { # ocserv | penstock: seconds of all threads but the poll core's, of that, and what that spent on packets
  local busy=0
  [ "$1" = ocserv ] || busy=$(busy_us)
  awk -v all="$(ticks)" -v poll="$(poll_thread_ticks)" -v busy="$busy" -v hz="$(getconf CLK_TCK)" \
    'BEGIN {print (all - poll) / hz, poll / hz, busy / 1e6}'
}
# The poll core's share is what it spent on packets by its own clock, or its CPU time where that is less: the clock goes on while
# the kernel runs somebody else there.
cpu_between() { awk -v a="$1" -v b="$2" 'BEGIN {split(a, x); split(b, y); p = y[2] - x[2]; q = y[3] - x[3]; print y[1] - x[1] + (p < q ? p : q)}'; }

# --------------------------------------------------------------------------------------------------------------- the client
connect() { # INTERFACE: log in; its pid in $client
  echo secret | ip netns exec "$cli" openconnect --non-inter --servercert "$pin" -u alice --passwd-on-stdin \
    --script "$work/script" -i "$1" 10.77.0.1 >"$work/client-$1.log" 2>&1 &
  client=$!
  pids+=("$client")
  until_true 20 "DTLS on $1" grep -q 'Established DTLS' "$work/client-$1.log"
}
transfer() { # WHICH [-R]: prints "Gbit/s cpu_seconds_per_GB"
  local which=$1 before after json; shift
  ip netns exec "$srv" iperf3 -s -1 >"$work/iperf.log" 2>&1 &
  local server=$!
  until_true 5 iperf3 iperf_listens
  before=$(cpu_now "$which")
  json=$(ip netns exec "$cli" iperf3 -J -c 192.168.99.1 -t "$seconds" "$@") || fail "iperf3"
  after=$(cpu_now "$which")
  wait "$server" || true
  jq -r '.end.sum_received | "\(.bits_per_second) \(.bytes)"' <<<"$json" |
    awk -v cpu="$(cpu_between "$before" "$after")" '{printf "%.3f %.3f\n", $1 / 1e9, cpu / ($2 / 1e9)}'
}
iperf_listens() { [ -n "$(ip netns exec "$srv" ss -Hltn 'sport = :5201')" ]; }
session_memory() { # KiB of an idle session: private and shared-by-share pages and page tables, mean of 10 workers
  local i before=() now=() p n=10
  before=($(tree "$gateway"))
  for i in $(seq $n); do connect "mem$i"; mem_clients+=("$client"); done
  now=($(tree "$gateway"))
  for p in "${now[@]}"; do
    [[ " ${before[*]} " == *" $p "* ]] && continue
    awk '/^Pss:/ {s += $2} END {print s + 0}' "/proc/$p/smaps_rollup"
    awk '/^VmPTE:/ {print $2}' "/proc/$p/status"
  done | awk -v n=$n '{s += $1} END {printf "%.0f\n", s / n}'
}

declare -A figures
note() { figures["$1,$2"]+="$3 "; } # WHICH WHAT VALUE
measure() { # ocserv | penstock
  local which=$1 out before after login
  start_gateway "$which"
  connect oc0
  out=$(transfer "$which"); note "$which" up "${out% *}"; note "$which" up_cpu "${out#* }"
  out=$(transfer "$which" -R); note "$which" down "${out% *}"; note "$which" down_cpu "${out#* }"
  stop_pid "$client"
  before=$(($(ticks) - $(poll_thread_ticks) + $(reaped_ticks)))
  login=$(ip netns exec "$cli" "$build/bench/worker_login" 10.77.0.1 443 alice secret "$logins" 8)
  [ "$(cut -d' ' -f2 <<<"$login")" = 0 ] || fail "$which: logins failed: $login"
  after=$(($(ticks) - $(poll_thread_ticks) + $(reaped_ticks)))
  note "$which" logins "$(cut -d' ' -f4 <<<"$login")"
  note "$which" login_ms "$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v n="$logins" 'BEGIN {print t / hz / n * 1e3}')"
  mem_clients=()
  note "$which" memory "$(session_memory)"
  for p in "${mem_clients[@]}"; do stop_pid "$p"; done
  stop_gateway
}
for i in $(seq "$runs"); do
  echo "run $i of $runs: ocserv, then penstock" >&2
  measure ocserv
  measure penstock
done

# --------------------------------------------------------------------------------------------------------------- the table
median() { tr ' ' '\n' <<<"$1" | grep . | sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
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
row down "gateway to client, TCP over DTLS, Gbit/s" more
row down_cpu "  gateway CPU seconds per GB" less
row logins "logins a second, 8 at once" more
row login_ms "  gateway CPU per login, ms" less
row memory "memory of an idle session, KiB" less
