#!/usr/bin/env bash
# A swarm of clients with DTLS: how long until all are there, what they cost the gateway in memory, how long until all are back after all workers
# and the nursery have been killed, after all have lost their connections at once, and after the dataplane has been killed. A table of what was measured; nothing else may run.
#
#   tests/bench/swarm.sh [CLIENTS...]      (1000 5000 10000)
#
# Each worker takes a process and some 210 KiB, each client in the swarm a descriptor and some 75 KiB: where the machine has too few of them (ulimit -n,
# kernel.pid_max, memory), it says so and leaves that number out.
set -euo pipefail
. "$(dirname "$0")/../smoke/lib.sh"
. "$TOP/tests/swarm.sh"
MAY_LOG='died of signal 9'
KIB_A_CLIENT=320
SAMPLE=20

room_for() { # CLIENTS
  local have
  have=$(ulimit -Hn)
  [ "$have" -ge $(($1 + 1000)) ] || { say "$1 clients: ulimit -n is $have"; return 1; }
  have=$(cat /proc/sys/kernel/pid_max)
  [ "$have" -ge $(($1 + 2000)) ] || { say "$1 clients: kernel.pid_max is $have"; return 1; }
  have=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
  [ "$have" -ge $(($1 * KIB_A_CLIENT + 1000000)) ] || { say "$1 clients: $have KiB of memory are available"; return 1; }
}

# Private pages and page tables of a worker, the mean of some, in KiB.
worker_memory() {
  local pid
  for pid in $(workers | shuf -n $SAMPLE); do
    awk '/^Private|^VmPTE/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup" "/proc/$pid/status"
  done | awk '{ sum += $1 } END { printf "%d", sum / NR }'
}
mib() { awk -v kib="$1" 'BEGIN { printf "%.0f", kib / 1024 }'; }
row() { printf '| %s | %s |\n' "$1" "$2"; }
times() { told '"\(.seconds) s; the first after \(.first) s, half after \(.half) s"'; }

measure() { # CLIENTS
  local part
  swarm_start "$1" -p 100 -t 280
  ask up || fail "$1 clients get in"
  row "$1 clients log in, 100 at once, until all have DTLS" "$(told '"\(.seconds) s; half after \(.half) s"')"
  ask ping || fail "all of them get their packets"
  row "  an echo for each" "$(told .seconds) s"
  for part in $PARTS; do row "  $part: memory; descriptors" "$(mib "$(memory "$(part_pid "$part")")") MiB; $(descriptors "$(part_pid "$part")")"; done
  row "  a worker, mean of $SAMPLE" "$(worker_memory) KiB"
  row "  the swarm itself" "$(mib "$(memory "$swarm")") MiB"

  workers > "$WORK/doomed"
  pid_of 'Nursery PID' >> "$WORK/doomed"
  order return
  xargs kill -KILL < "$WORK/doomed" || :
  answered || fail "all come back"
  row "  all workers and the nursery are killed: until all are back" "$(times)"
  row "  sessions lost" "$(told .lost)"
  ask cut || fail "all come back from a cut"
  row "  all lose their connections at once: until all are back" "$(times)"
  row "  sessions lost" "$(told .lost)"
  kill -KILL "$(pid_of 'Dataplane PID')"
  ask ping || fail "all of them get their packets again"
  row "  the dataplane is killed: until everybody's packets cross again" "$(told .seconds) s"
  row "  sessions lost" "$(told .lost)"
  ask down || fail "all say goodbye"
  PATIENCE=100 soon "and have gone" idle > "$WORK/said"
  stop "$swarm"
}

[ $# -gt 0 ] || set -- 1000 5000 10000
swarm_gateway 12000 < /dev/null
say "| what | |"
say "|---|---|"
for clients; do
  ! room_for "$clients" || measure "$clients"
done
