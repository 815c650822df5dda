# What end-to-end measurements share: a gateway and a real openconnect client in two namespaces, TCP through the tunnel, and what it
# costs the gateway. A script sources this as it would run.sh, writes $work/WHICH.conf for each thing that it compares, and calls
# start_gateway WHICH, connect, transfer.
#
#   client namespace                          server namespace
#   iperf3 ─ tun ─ openconnect ── veth ────── gateway under test ─ tun or tap ─ iperf3
. "$(dirname "$0")/run.sh"
chmod 711 "$work" # ocserv's workers reach its socket there as nobody
srv=pbs$id cli=pbc$id

# ---------------------------------------------------------------------------------------------------------------- the world
add_spaces "$srv" "$cli"
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
ipv4-network = ${network:-192.168.99.0/24}
CONF
conf() { # WHICH < MORE: writes $work/WHICH.conf; its control socket is $work/ctl
  { cat "$work/common.conf" -; echo "pid-file = $work/$1.pid"; echo "occtl-socket-file = $work/ctl"
    echo 'run-as-user = nobody'; echo 'run-as-group = daemon'; } >"$work/$1.conf"
}
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
start_gateway() { # WHICH: ocserv, or penstockd with one of the configurations
  local program="$build/penstockd"
  [ "$1" != ocserv ] || program=ocserv
  ip netns exec "$srv" "$program" -f -c "$work/$1.conf" >"$work/$1.log" 2>&1 &
  gateway=$!
  pids+=("$gateway")
  until_true 30 "$1 to listen" listening
  until_true 30 "$1 to take a login" one_login # ocserv listens before its security module does
}
storm() { ip netns exec "$cli" "$build/bench/worker_storm" -j -s "$gateway" "$@" 10.77.0.1 443 alice secret; } # OPTION...
one_login() { storm -n 1; }
stop_gateway() { stop_pid "$gateway"; until_true 10 "the gateway to go" not_listening; }
not_listening() { ! listening; }
# PID: it and all its descendants. Not from /proc/PID/task/*/children, which leaves some out while others end.
tree() {
  ps -e -o pid= -o ppid= | awk -v top="$1" '
    { parent[$1] = $2 }
    END { for (p in parent) { for (q = p; q in parent && q != top; q = parent[q]); if (q == top) print p } }'
}
ticks() { # CPU of the whole gateway so far, in clock ticks, those reaped included
  local p; for p in $(tree "$gateway"); do sed 's/.*) //' "/proc/$p/stat" 2>/dev/null; done |
    awk '{s += $12 + $13} END {print s + 0}'
}
poll_thread_ticks() { # of penstockd; 0 for ocserv
  local p t
  for p in $(tree "$gateway"); do
    for t in /proc/$p/task/*; do
      case $(cat "$t/comm" 2>/dev/null) in *rte-worker* | *lcore-worker*) sed 's/.*) //' "$t/stat" ;; esac
    done
  done | awk '{s += $12 + $13} END {print s + 0}'
}
busy_us() { "$build/penstockctl" -s "$work/ctl" -j show dataplane | jq '[.cores[].raw_busy_us] | add'; }
cpu_now() { # WHICH: seconds of all threads but the poll core's, of that, and what that spent on packets
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
transfer() { # WHICH [-R]: prints "Gbit/s cpu_seconds_per_GB client's_cpu_seconds_per_GB client's_share_of_a_core"
  local which=$1 before after json spent; shift
  ip netns exec "$srv" iperf3 -s -1 >"$work/iperf.log" 2>&1 &
  local server=$!
  until_true 5 iperf3 iperf_listens
  before=$(cpu_now "$which") spent=$(client_ticks)
  json=$(ip netns exec "$cli" iperf3 -J -c 192.168.99.1 -t "$seconds" "$@") || fail "iperf3"
  after=$(cpu_now "$which") spent=$(($(client_ticks) - spent))
  wait "$server" || true
  jq -r '.end.sum_received | "\(.bits_per_second) \(.bytes) \(.seconds)"' <<<"$json" |
    awk -v cpu="$(cpu_between "$before" "$after")" -v client="$spent" -v hz="$(getconf CLK_TCK)" \
      '{printf "%.3f %.3f %.3f %.2f\n", $1 / 1e9, cpu / ($2 / 1e9), client / hz / ($2 / 1e9), client / hz / $3}'
}
client_ticks() { sed 's/.*) //' "/proc/$client/stat" | awk '{print $12 + $13}'; }
iperf_listens() { [ -n "$(ip netns exec "$srv" ss -Hltn 'sport = :5201')" ]; }

# ---------------------------------------------------------------------------------------------------------------- figures
declare -A figures
note() { figures["$1,$2"]+="$3 "; } # WHICH WHAT VALUE
note_transfers() { # WHICH: up and down, with _cpu, _client_cpu and _client, by the client that is connected
  local direction gbits cpu client_cpu share
  for direction in up down; do
    # shellcheck disable=SC2046
    read -r gbits cpu client_cpu share < <(transfer "$1" $([ $direction = up ] || echo -R))
    note "$1" $direction "$gbits"; note "$1" ${direction}_cpu "$cpu"
    note "$1" ${direction}_client_cpu "$client_cpu"; note "$1" ${direction}_client "$share"
  done
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
