# What tests with a swarm of clients share (tests/bench/swarm: thousands of them in one process), to be sourced behind tests/smoke/lib.sh.
#
#   swarm ── 198.18.0.0/15, an address a client ── eth0 ════ 192.0.2.1 gateway ── 10.96.0.0/14, 10.96.0.1 answers echoes

swarm_gateway() { # MAX-CLIENTS < MORE
  local most=$1
  network
  ip -n "$CLIENT" route add local 198.18.0.0/15 dev lo
  ip -n "$SERVER" route add 198.18.0.0/15 via 192.0.2.2
  say "anna:*:$(perl -e 'print crypt("anna-secret", "ab")')" > "$WORK/passwd" # a hash that costs nothing: it is not what is tried here
  { cat << CONF; cat; } > "$WORK/swarm.conf"
max-clients = $most
max-same-clients = 0
max-ban-score = 0
ipv4-network = 10.96.0.0/14
metrics-listen = 127.0.0.1:9190
CONF
  gateway 192.0.2.1 < "$WORK/swarm.conf"
}

# Its commands are in tests/bench/swarm/main.c; SWARM_USER has the password of anna's kind, SWARM_ECHO answers. order says one, answered waits for its answer, ask does both; told has what was answered.
swarm_start() { # CLIENTS [OPTION...]
  local clients=$1
  shift
  coproc SWARM { exec ip netns exec "$CLIENT" "$BUILD/bench/swarm" -n "$clients" -e "${SWARM_ECHO:-10.96.0.1}" "$@" 192.0.2.1 443 "${SWARM_USER:-anna}" "${SWARM_USER:-anna}-secret" 2> "$WORK/swarm.log"; }
  swarm=$SWARM_PID
  at_end "stop $swarm $(born "$swarm")"
  exec 7>&"${SWARM[1]}" 8<&"${SWARM[0]}"
}
order() { say "$*" >&7; }
answered() {
  local line
  IFS= read -r -u 8 -t "${PATIENCE:-300}" line || return 1
  say "$line" >> "$WORK/answers.log"
  [ "$(told .ok)" = true ] || { say "$line"; return 1; }
}
ask() { order "$@" && answered; }
told() { tail -n 1 "$WORK/answers.log" | jq -r "$1"; } # FILTER

# Whoever their parent is by now.
workers() { pgrep --ns "$(pid_of 'Main PID')" --nslist net -x penstock-worker | grep -vx "$(pid_of 'Nursery PID')" || :; }
worker_count() { workers | wc -l; }
idle() { nobody && no_sessions && [ "$(worker_count)" = 0 ]; }
lent() { in_ns "$SERVER" curl -s http://127.0.0.1:9190/metrics | awk '/^penstock_address_pool_lent_addresses[{ ]/ { sum += $NF } END { print sum + 0 }'; }

PARTS="main nursery sec-mod dataplane"
part_pid() { # PART
  case $1 in main) pid_of 'Main PID' ;; keeper) pid_of 'Server PID' ;; nursery) pid_of 'Nursery PID' ;; sec-mod) pid_of 'Sec-mod PID' ;; dataplane) pid_of 'Dataplane PID' ;; esac
}
descriptors() { local fds=("/proc/$1/fd/"*); say ${#fds[@]}; }                                               # PID
memory() { awk '/^RssAnon|^RssShmem|^VmPTE/ { sum += $2 } END { print sum }' "/proc/$1/status"; }          # PID: KiB
# What the gateway holds: a line for each thing, "NAME VALUE", but for memory.
holdings() {
  local part
  for part in $PARTS; do say "descriptors of $part $(descriptors "$(part_pid "$part")")"; done
  ctl -j show dataplane | jq -r '.pools[] | "free in \(.name) \(.free)"'
  say "addresses lent $(lent)"
}
