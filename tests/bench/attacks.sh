#!/usr/bin/env bash
# What strangers can do to the others: a table, a row for each attack, with what it cost a client that sends and users who log in.
#
#   anna 192.0.2.2, iperf3 ──╮
#   strangers ───────────────┴─ 192.0.2.1 gateway ── vpns0 10.99.0.1, iperf3
#
#   tests/bench/attacks.sh [--markdown] [ATTACK...]      T=5 seconds each; RATE=20M of anna's packets; it takes 2 CPUs from the gateway as well
#
# Nobody is banned here (max-ban-score = 0): this is how it is before bans, or where each connection comes from somewhere else.
SELF=$(readlink -f "$0")
. "$(dirname "$SELF")/../smoke/lib.sh"
. "$TOP/tests/swarm.sh"
. "$TOP/tests/flood.sh"
MAY_LOG='.*'
markdown=
[ "${1-}" != --markdown ] || { markdown=1; shift; }
wanted=("$@")
T=${T:-5} RATE=${RATE:-20M}

# NAME ATTACK [OPTION...]
ATTACKS="
hello hello
hello-known hello-known
hello-fragments hello-fragments
ip-fragments ip-fragments
garbage garbage
silent silent -n 2000
silent-many silent -n 2000 -p 2000
half-hello half-hello -n 2000
half-hello-many half-hello -n 2000 -p 2000
hellos hellos -n 100
hellos-many hellos -n 1000 -p 1000
handshakes handshakes -n 50
handshakes-many handshakes -n 500 -p 500
record record -n 500
headers headers -n 500
body body -n 500
chunks chunks -n 500
post post -n 50
unread unread -n 500
aborts aborts -n 50 -p 50
spray spray -n 50 -p 50
spray-ipv6 spray -n 50 -p 500
"

# A login of bert's after the other for so many seconds; milliseconds, a line each, "failed" for who did not get in.
logins() { # SECONDS
  local end=$((SECONDS + $1))
  while [ $SECONDS -lt $end ]; do
    in_ns "$CLIENT" timeout 20 "$STORM" -n 1 192.0.2.1 443 bert bert-secret 2> /dev/null |
      awk '/ 0 failed/ { ok = 1 } /^all / { ms = $3 } END { print ok ? ms : "failed" }'
    sleep 0.05
  done
}
summary() { # FILE: "MEDIAN/P95", and how many failed
  grep -v failed "$1" | sort -n | awk '{ x[++n] = $1 } END { if (n) printf "%.0f/%.0f ms", x[int((n + 1) / 2)], x[int(n * 0.95 + 0.5)]; else printf "none" }'
  awk '/failed/ { n++ } END { if (n) printf ", %d failed", n }' "$1"
}
lost() { # SECONDS
  SECONDS_OF_IPERF=$1 TO=$INSIDE
  in_ns "$CLIENT" iperf3 -c "$INSIDE" -u -t "$1" -l 1200 -b "$RATE" -J 2>> "$WORK/iperf-client.log" | jq -r '.end.sum.lost_percent // "?" | if type == "number" then . * 100 | round / 100 else . end'
}
mib() { awk -v kib="$1" 'BEGIN { printf "%.0f", kib / 1024 }'; }
holds() { # MiB of main, sec-mod, dataplane; workers and what they have of their own
  local pid kib=0 n=0
  for pid in $(workers); do
    kib=$((kib + $(awk '/^Private/ { sum += $2 } END { print sum + 0 }' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0))) n=$((n + 1))
  done
  say "$(mib "$(memory "$(part_pid main)")")/$(mib "$(memory "$(part_pid sec-mod)")")/$(mib "$(memory "$(part_pid dataplane)")"); $n: $(mib $kib)"
}
pids() { local part; for part in $PARTS; do part_pid "$part"; done; }
row() { if [ -n "$markdown" ]; then printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$@"; else printf '%-16s %-22s %-8s %-16s %-26s %-24s %s\n' "$@"; fi; }

attack() { # NAME ATTACK [OPTION...]
  local name=$1 attack=$2 flooding iperf held before
  shift 2
  before=$(pids)
  case $attack in hello-known) set -- "$@" -i "$(app_id anna)" ;; esac
  case $name in *ipv6) local HOST=2001:db8::1 ;; esac
  logins 2 > "$WORK/logins-before"
  flood "$attack" -s $((T + 2)) "$@" &
  flooding=$!
  sleep 1
  lost "$T" > "$WORK/lost" &
  iperf=$!
  logins $((T / 2)) > "$WORK/logins"
  held=$(holds)
  logins $((T - T / 2)) >> "$WORK/logins"
  wait $iperf $flooding || :
  row "$name" "$(flooded "$attack" '"\(.a_second) a second; \(.open) open"')" "$(cat "$WORK/lost") %" "$(summary "$WORK/logins-before")" "$(summary "$WORK/logins")" "$held" \
    "$(flooded "$attack" '"\(if .bytes_out > 0 then .bytes_in / .bytes_out * 100 | round / 100 else "-" end)"')"
  [ "$(pids)" = "$before" ] || say "  a part of the gateway has died"
}

flood_network
say "anna:*:$(openssl passwd -6 anna-secret)" > "$WORK/passwd"
say "bert:*:$(openssl passwd -6 bert-secret)" >> "$WORK/passwd"
gateway << CONF
auth-timeout = 4
max-ban-score = 0
max-same-clients = 0
CONF
iperf_server
renice -n -15 -p "$pid" > /dev/null || : # a server elsewhere: what its own socket drops is no loss of ours
login anna anna
wait_for 20 user_has anna Channel DTLS || fail "anna is on DTLS"
say "load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) CPUs, $(uname -r)"
row attack made lost "login before" "login during" "MiB main/sec-mod/dataplane; workers: MiB" "bytes in/out"
[ -z "$markdown" ] || say "|---|---|---|---|---|---|---|"
while read -r name line; do
  [ -n "$name" ] || continue
  [ ${#wanted[@]} = 0 ] || [[ " ${wanted[*]} " == *" $name "* ]] || continue
  attack "$name" $line < /dev/null
  wait_for 20 eval '[ "$(ctl -j show status | jq .Connections)" -le 2 ]' || :
done <<< "$ATTACKS"
