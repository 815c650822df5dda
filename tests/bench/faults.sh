#!/usr/bin/env bash
# What breaks under a gateway, and what becomes of its clients: the table of doc/reliability.md, with what was measured beside the goals.
#
#   anna 192.0.2.2, iperf3 ──╮                   ╭ vpns0 10.99.0.1, iperf3
#   bert 192.0.2.77 ─────────┼── 192.0.2.1 gateway
#   a swarm of 200 ──────────╯
#
#   tests/bench/faults.sh [--sessions N] [--markdown] [FAULT...]
#
# Each fault is done while anna uploads by iperf3 and both are pinged through their tunnels every 10 ms; 200 more clients are up, with
# DTLS, and come back by themselves as openconnect does. "Back" is when the log says that the part is ready, "silent" the longest time
# without an answer to a ping; each of the swarm asks for an echo when it has happened, and again every second. What takes a machine of its own, or a gateway with
# another configuration, is told by the test that tries it.
SELF=$(readlink -f "$0")
. "$(dirname "$SELF")/../smoke/lib.sh"
. "$(dirname "$SELF")/../smoke/data/freeradius.sh"
. "$TOP/tests/swarm.sh"
. "$TOP/tests/bench/rows.sh"
MAY_LOG='.*' MAY_END=yes
SECOND=$NAME-d
sessions_held=200 markdown= wanted=()
while [ $# -gt 0 ]; do
  case $1 in
  --sessions) sessions_held=$2; shift ;;
  --markdown) markdown=1 ;;
  -*) sed -n '2,/^SELF/{s/^# \{0,1\}//;/^SELF/d;p}' "$SELF"; exit 2 ;;
  *) wanted+=("$1") ;;
  esac
  shift
done

# ------------------------------------------------------------------------------------------------------------ measuring

fault_at= swarm_is_asked=
strike() { # COMMAND...: the fault
  fault_at=$(now_ms)
  "$@"
  [ -n "$swarm_is_asked" ] || order ping
  swarm_is_asked=1
}

# Milliseconds from the fault until a command is true; 99999: it has not become so.
ms_until() { # SECONDS COMMAND...
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$(now_ms)" -lt "$end" ] || { echo 99999; return; }
    sleep 0.005
  done
  echo $(($(now_ms) - fault_at))
}
lines() { wc -l < "$WORK/gateway.log"; }
since=0
note_log() { since=$(lines); }
said() { tail -n "+$((since + 1))" "$WORK/gateway.log" | grep -qE -- "$1"; } # REGEX: after note_log
count_said() { tail -n "+$((since + 1))" "$WORK/gateway.log" | grep -cE -- "$1" || :; }

declare -A probe
probes_start() {
  note_log
  start probe-anna ip netns exec "$CLIENT" ping -n -D -i 0.01 -I tun0 $INSIDE
  probe[anna]=$pid
  start probe-bert ip netns exec "$SECOND" ping -n -D -i 0.01 -I tun0 $INSIDE
  probe[bert]=$pid
  wait_for 10 has "$WORK/probe-anna.log" icmp_seq=50
}
# Sets lost_LABEL and silent_LABEL: packets, and the longest time without an answer in ms; swarm_ms: until all of the swarm had their
# echo; swarm_lost: sessions that it has lost.
probes_stop() {
  local label
  if [ -n "$swarm_is_asked" ]; then
    swarm_ms=99999
    ! PATIENCE=90 answered || swarm_ms=$(told '.seconds * 1000 | floor')
    swarm_lost=$(($(told .lost) - lost_before)) swarm_is_asked=
  fi
  for label in anna bert; do
    kill -INT "${probe[$label]}" && wait_for 5 gone "${probe[$label]}" || :
    read -r "lost_$label" "silent_$label" < <(sed -n 's/^\[\([0-9.]*\)\].*icmp_seq=\([0-9]*\) .*/\1 \2/p' "$WORK/probe-$label.log" |
      awk -v end="$EPOCHREALTIME" '{ if (NR > 1 && $1 - t > gap) gap = $1 - t; t = $1; n++; if ($2 > last) last = $2 }
           END { if (end - t > 2 && end - t > gap) gap = end - t; printf "%d %d\n", last - n, gap * 1000 }')
    rm -f "$WORK/probe-$label.log"
  done
}

connected() { ctl -j show users | jq 'map(select(.State == "connected")) | length'; }
all_connected() { [ "$(connected)" -ge $((sessions_held + 2)) ]; }
on_dtls() { user_has anna Channel DTLS && user_has bert Channel DTLS; }

# Everybody is there again: before each fault.
settle() {
  swarm_ms='' swarm_lost=0
  wait_for 90 on_dtls || fail "anna and bert are on DTLS"
  PATIENCE=90 ask up || fail "the swarm is up"
  lost_before=$(told .lost)
  wait_for 30 all_connected || fail "everybody is connected"
}

row() { # FAULT GOAL MEASURED MET(0: yes): and what became of the swarm
  local measured=$3 verdict=$4
  [ -z "$swarm_ms" ] || measured+="; of $sessions_held others $swarm_lost lost their session, all had an echo after $(seconds "$swarm_ms")"
  [ "$swarm_lost" = 0 ] && [ "$swarm_ms" != 99999 ] || verdict=1
  table_row "$1" "$2" "$measured" "$verdict"
}

worker_of_anna() { local port; port=$(in_ns "$CLIENT" ss -Htnp state established 'dport = :443' | awk '/openconnect/ { sub(/.*:/, "", $3); print $3; exit }')
  in_ns "$SERVER" ss -Htnp state established "dport = :$port" | sed -n 's/.*pid=\([0-9]*\).*/\1/p'; }

# ---------------------------------------------------------------------------------------------------------------- faults

fault_worker() {
  local detected pid
  pid=$(worker_of_anna)
  strike kill -KILL "$pid"
  detected=$(ms_until 10 said 'died of signal 9')
  ms_until 40 said "'anna' connected" > /dev/null
  sleep 4
  probes_stop
  row "kill -9 a worker" "its client back within 3 s, nobody else loses a packet" \
    "noticed after $(in_ms "$detected"); its client silent for $(seconds "$silent_anna"); the others lost $lost_bert" \
    "$(verdict within "$silent_anna" 3000 "$lost_bert" 0)"
}

fault_part() { # SIGNAL NAME KEY: sec-mod or the nursery, which nobody's packets need
  local pid noticed back login kept what goal limits
  pid=$(pid_of "$3")
  kept=$(connected)
  strike kill "-$1" "$pid"
  noticed=$(ms_until 10 said "$2 \(pid $pid\) (died|has not answered)")
  back=$(ms_until 20 said "$2 is ready")
  login=$(get_cookie bert bert-secret | wc -c)
  probes_stop
  kept=$((kept - $(connected)))
  if [ "$1" = KILL ]; then
    what="kill -9 $2" goal="another within 1 s; established sessions lose nothing; cookies and logins as before" limits="5000 1000"
  else
    what="SIGSTOP $2" goal="the watchdog acts within 5 s; nobody else notices" limits="5000 6000"
  fi
  row "$what" "$goal" \
    "noticed after $(seconds "$noticed"), another after $(seconds "$back"); $((lost_anna + lost_bert)) packets and $kept sessions lost; a login then: $([ "$login" -gt 40 ] && echo yes || echo no)" \
    "$(verdict within "$noticed" "${limits% *}" "$back" "${limits#* }" $((lost_anna + lost_bert)) 0 "$kept" 0 40 "$login")"
}
fault_secmod() { fault_part KILL sec-mod 'Sec-mod PID'; }
fault_nursery() { fault_part KILL nursery 'Nursery PID'; }
fault_stop_secmod() { fault_part STOP sec-mod 'Sec-mod PID'; }
fault_stop_nursery() { fault_part STOP nursery 'Nursery PID'; }

dataplane_falls() { # SIGNAL: sets detected, back, dtls, logins, anew
  local pid
  pid=$(pid_of 'Dataplane PID')
  strike kill "-$1" "$pid"
  detected=$(ms_until 20 said "dataplane \(pid $pid\) (died|has not answered)")
  back=$(ms_until 20 said 'dataplane is ready')
  ms_until 40 said "'anna' is on DTLS" > /dev/null
  dtls=$(ms_until 40 on_dtls)
  logins=$(count_said "login of '(anna|bert)'")
  anew=$(count_said 'connected by worker')
  sleep 1
  probes_stop
}
fault_dataplane() {
  local detected back dtls logins anew
  dataplane_falls KILL
  row "kill -9 the dataplane" "noticed within 200 ms, back within 2 s, traffic within 3 s, DTLS within 10 s, nobody logs in or connects again" \
    "noticed after $(in_ms "$detected"), back after $(seconds "$back"), silent for $(seconds "$silent_anna") and $(seconds "$silent_bert"), both on DTLS after $(seconds "$dtls"), $logins logins, $anew connections of anybody made anew" \
    "$(verdict within "$detected" 200 "$back" 2000 "$silent_anna" 3000 "$silent_bert" 3000 "$dtls" 10000 "$logins" 0 "$anew" 0)"
}
fault_stop_dataplane() {
  local detected back dtls logins anew
  dataplane_falls STOP
  row "SIGSTOP the dataplane" "the watchdog acts within 5 s; then as above" \
    "killed after $(seconds "$detected"), another back after $(seconds "$back"), silent for $(seconds "$silent_anna") and $(seconds "$silent_bert"), both on DTLS after $(seconds "$dtls"), $logins logins, $anew connections of anybody made anew" \
    "$(verdict within "$detected" 5000 "$back" 7000 "$silent_anna" 8000 "$silent_bert" 8000 "$dtls" 15000 "$logins" 0 "$anew" 0)"
}

another_main() { said 'another has taken over'; }
login_goes() { in_ns "$CLIENT" timeout 10 "$STORM" -n 1 -t 5 192.0.2.1 443 many many-secret; }

# Who asks, and who logs in, at once: both wait for the next main.
fault_main() {
  local cli another login address
  address=$(user_field anna 'Full session')
  strike kill -KILL "$(main_pid)"
  cli=$(ms_until 10 ctl show status)
  another=$(ms_until 10 another_main)
  login=$(ms_until 10 login_goes)
  sleep 2
  probes_stop
  row "kill -9 main" "the dataplane keeps forwarding; another main takes the sessions over; the same addresses" \
    "another after $(seconds "$another"); the CLI answers after $(seconds "$cli"), a login is done after $(seconds "$login"); $((lost_anna + lost_bert)) packets lost; $(count_said "disconnected from") connections ended; the same session: $(same "$(user_field anna 'Full session')" "$address" > /dev/null && echo yes || echo no)" \
    "$(verdict within "$another" 2000 "$cli" 3000 "$login" 5000 $((lost_anna + lost_bert)) 0)"
}

fault_stop_main() {
  local another cli
  strike kill -STOP "$(main_pid)"
  another=$(ms_until 15 another_main)
  cli=$(ms_until 10 ctl show status)
  sleep 1
  probes_stop
  row "SIGSTOP main" "the watchdog acts within 5 s; forwarding goes on" \
    "another after $(seconds "$another"), the CLI answers after $(seconds "$cli"); $((lost_anna + lost_bert)) packets lost; parts restarted: $(count_said '(nursery|sec-mod|dataplane) .* died of')" \
    "$(verdict within "$another" 5000 "$cli" 6000 $((lost_anna + lost_bert)) 0)"
}

fault_stop_worker() {
  local ended pid
  pid=$(worker_of_anna)
  strike kill -STOP "$pid"
  ended=$(ms_until 10 said "worker [0-9]+ .* is stopped")
  ms_until 40 said "'anna' connected" > /dev/null
  sleep 4
  probes_stop
  row "SIGSTOP a worker" "the watchdog acts within 5 s; nobody else notices" \
    "ended after $(seconds "$ended"); its client silent for $(seconds "$silent_anna"); the others lost $lost_bert" \
    "$(verdict within "$ended" 5000 "$lost_bert" 0)"
}

fault_upgrade() {
  local before failed took
  before=$(connected)
  start connects ip netns exec "$CLIENT" sh -c 'exec "$@"' storm "$STORM" -n 100 -p 4 -j 192.0.2.1 443 many many-secret
  wait_for 10 eval 'more "$(ctl -j show status | jq .Connections)" "$before"'
  strike ctl upgrade > /dev/null
  took=$(ms_until 20 said 'has taken over from')
  wait_for 60 gone "$pid"
  failed=$(jq -s 'last | .failed' "$WORK/connects.log")
  probes_stop
  row "another penstockd takes over, while 100 log in" "no failed connect, no session lost" \
    "$failed of 100 logins failed, $((before - $(connected))) sessions and $((lost_anna + lost_bert)) packets lost; done after $(seconds "$took")" \
    "$(verdict within "$failed" 0 "$(connected)" "$before" "$before" "$(connected)" $((lost_anna + lost_bert)) 0)"
}

fault_reload() {
  local before i failed=0 bad
  before=$(connected)
  strike :
  for i in $(seq 100); do ctl reload > /dev/null 2>&1 || failed=$((failed + 1)); done
  took=$(($(now_ms) - fault_at))
  echo 'server-key = /nowhere' >> "$CONFIG"
  bad=$(ctl reload > /dev/null 2>&1 && echo taken || echo refused)
  sed -i '$d' "$CONFIG"
  probes_stop
  row "100 reloads, and one with a mistake" "no drop; the old one is kept, and the status says so" \
    "$failed failed, $(seconds $took) in all, $((before - $(connected))) sessions and $((lost_anna + lost_bert)) packets lost; with a mistake: $bad" \
    "$(verdict eval 'within "$failed" 0 "$before" "$(connected)" $((lost_anna + lost_bert)) 0 && [ $bad = refused ]')"
}

# A server that takes requests and says nothing; logins of a virtual host wait for it.
fault_radius() {
  local plain waiting i in=0
  for i in 1 2 3 4 5 6; do
    (HOST=radius.example get_cookie anna anna-secret --resolve radius.example:192.0.2.1 > "$WORK/radius-$i.cookie" 2>&1 || :) &
    waiting[i]=$!
  done
  sleep 1
  strike :
  plain=$(in_ns "$CLIENT" "$STORM" -n 40 -p 4 -j 192.0.2.1 443 many many-secret | jq '[.failed, .login_p99_ms | floor] | join(" ")' -r)
  wait "${waiting[@]}" || :
  for i in 1 2 3 4 5 6; do [ ! -s "$WORK/radius-$i.cookie" ] || in=$((in + 1)); done
  probes_stop
  row "RADIUS is silent" "other methods unaffected, never fail open" \
    "of 40 logins by password ${plain% *} failed, p99 ${plain#* } ms; $in of 6 by RADIUS got in; $((lost_anna + lost_bert)) packets lost" \
    "$(verdict within "${plain% *}" 0 "${plain#* }" 2000 "$in" 0 $((lost_anna + lost_bert)) 0)"
}

# Where sec-mod keeps its records there is no room for a while.
fault_disk() {
  local before cli login again
  before=$(connected)
  strike dd if=/dev/zero of="$WORK/disk/full" bs=4k 2> /dev/null || :
  fault_at=$(now_ms)
  cli=$(ms_until 5 ctl show status)
  in_ns "$CLIENT" "$STORM" -n 50 -p 4 192.0.2.1 443 many many-secret > /dev/null || :
  wait_for 5 said 'No space left' || fail "the disk is full"
  login=$(get_cookie bert bert-secret | wc -c)
  strike rm "$WORK/disk/full"
  again=$(ms_until 20 eval 'get_cookie bert bert-secret; said "outlive this process again"')
  probes_stop
  row "the disk of session-file is full for a while" "forwarding goes on, the CLI answers" \
    "$((lost_anna + lost_bert)) packets and $((before - $(connected))) sessions lost, the CLI answers in $(in_ms "$cli"); a login: $([ "$login" -gt 40 ] && echo yes || echo no); written again $(seconds "$again") after there is room" \
    "$(verdict within $((lost_anna + lost_bert)) 0 "$before" "$(connected)" "$cli" 1000 40 "$login" "$again" 20000)"
}

# "silent" without the time that the fault itself takes.
link_row() { # FAULT AWAY_MS
  local kept=$((before - $(connected)))
  row "$1" "sessions kept, traffic within 1 s" \
    "traffic $(seconds $((silent_anna > $2 ? silent_anna - $2 : 0))) afterwards, $kept sessions lost" "$(verdict within $((silent_anna - $2)) 1000 "$kept" 0)"
}
fault_link() {
  local before
  before=$(connected)
  strike ip -n "$BRIDGE" link set p1 down # the gateway sees its carrier go
  sleep 2
  ip -n "$BRIDGE" link set p1 up
  sleep 5
  probes_stop
  link_row "the link is down for 2 s" 2000
}
fault_mac() {
  local before
  before=$(connected)
  in_ns "$CLIENT" sysctl -qw net.ipv4.conf.eth0.arp_notify=1
  strike ip -n "$CLIENT" link set eth0 address 02:00:00:00:00:77
  sleep 4
  probes_stop
  link_row "the next hop gets another MAC address" 0
}
fault_mtu() {
  local before big
  before=$(connected)
  strike ip -n "$SERVER" link set outer mtu 1300
  ip -n "$CLIENT" link set eth0 mtu 1300
  big=$(ms_until 10 in_ns "$CLIENT" ping -c 1 -W 1 -s 1300 -I tun0 $INSIDE)
  sleep 2
  probes_stop
  ip -n "$SERVER" link set outer mtu 1500
  ip -n "$CLIENT" link set eth0 mtu 1500
  link_row "the link's MTU becomes 1300" 0
  [ "$big" -le 1000 ] || row "  and packets of 1328 bytes" "traffic within 1 s" "$(seconds "$big")" 1
}

fault_roam() {
  strike in_ns "$SECOND" nft -f - << NFT
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oif eth0 udp dport 443 snat to 192.0.2.78
  }
}
NFT
  in_ns "$SECOND" conntrack -D -p udp > /dev/null 2>&1 || :
  sleep 3
  probes_stop
  row "a client's address changes" "1 round trip, <= 5 packets lost" "$lost_bert packets lost, at one every 10 ms; silent for $(in_ms "$silent_bert")" \
    "$(verdict eval 'within "$lost_bert" 5 && said "bert.* has moved to 192.0.2.78:"')"
  in_ns "$SECOND" nft delete table ip nat
  in_ns "$SECOND" conntrack -D -p udp > /dev/null 2>&1 || :
}

# What somebody of the swarm can tell of a return: "FIRST HALF ALL LOST", times in ms.
returned() { told '"\((.first // 99.999) * 1000 | floor) \((.half // 99.999) * 1000 | floor) \(.seconds * 1000 | floor) \(.lost)"'; }
everybody_row() { # FAULT
  local first half all lost
  probes_stop
  read -r first half all lost < <(returned)
  swarm_ms=''
  row "$1" "all back, bounded memory, progress from the first second" \
    "the first of $sessions_held after $(seconds "$first"), half after $(seconds "$half"), all after $(seconds "$all"), $((lost - lost_before)) sessions lost" \
    "$(verdict within "$first" 1000 "$all" 90000 "$lost" "$lost_before")"
}
fault_everybody() {
  order cut
  PATIENCE=90 answered || :
  everybody_row "everybody reconnects at once"
}
fault_workers() {
  order return $sessions_held
  workers | xargs kill -KILL
  PATIENCE=90 answered || :
  everybody_row "kill -9 all workers at once"
}

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # PID
# The lowest number that is free is the first that main may not have. Before other faults: what it keeps for the operator has to be below that, and they leave
# gaps below.
fault_descriptors() {
  local n=0 cli before main
  main=$(main_pid)
  while [ -L "/proc/$main/fd/$n" ]; do n=$((n + 1)); done
  before=$(ticks "$main")
  strike prlimit --pid "$main" "--nofile=$n:"
  in_ns "$CLIENT" timeout 5 "$STORM" -n 4 -t 2 192.0.2.1 443 many many-secret > /dev/null 2>&1 || :
  cli=$(fault_at=$(now_ms); ms_until 5 ctl show status)
  sleep 2
  before=$(($(ticks "$main") - before))
  prlimit --pid "$main" "--nofile=$(prlimit --pid "$main" --nofile --output=HARD --noheadings --raw | tr -d ' '):"
  probes_stop
  row "main has no descriptor left" "forwarding goes on; accept pauses without spinning; the CLI answers" \
    "$((lost_anna + lost_bert)) packets lost; main used $((before * 10)) ms of CPU in some 4 s; the CLI answers in $(in_ms "$cli")" \
    "$(verdict within $((lost_anna + lost_bert)) 0 "$before" 50 "$cli" 1000)"
}

# Tests with a gateway of their own.
by_test() { # "TEST..." FAULT GOAL
  local test began=$SECONDS failed=()
  swarm_ms='' swarm_lost=0
  for test in $1; do
    # shellcheck disable=SC2086
    "$TOP/tests/smoke/${test%:*}.sh" ${test#"${test%:*}"} > "$WORK/by-test.log" 2>&1 < /dev/null || failed+=("$test")
  done
  row "$2" "$3" "smoke $1: $([ ${#failed[@]} = 0 ] && echo "as it says" || echo "not so: ${failed[*]}"), in $((SECONDS - began)) s" ${#failed[@]}
}
# With a router between; all of them, and the other kinds of port, are in make links.
test_links() {
  "$TOP/tests/bench/links.sh" ${markdown:+--markdown} --outer auto inner router address port roam tcp > "$WORK/links.out" 2>&1 < /dev/null || :
  grep -vE '^[0-9]+ met' "$WORK/links.out"
  met=$((met + $(grep -cE '\| met \|$|  met$' "$WORK/links.out" || :)))
  missed=$((missed + $(grep -cE '\| missed \|$|  missed$|^NOT' "$WORK/links.out" || :)))
}
test_radius_back() { by_test "login-radius acct-radius" "RADIUS goes and comes back" "other methods unaffected; accounting kept and sent later; never fail open"; }
test_resources() { by_test "exhausted no-memory" "a broken disk (EIO), no descriptors in any process, no memory" "forwarding goes on; accept pauses without spinning; the CLI answers"; }
test_full() { by_test "limits" "addresses, tunnels and connections used up" "a named refusal; who is there goes on"; }
test_clock() { by_test "clock" "the wall clock is set, an hour and ten years, ahead and back" "timers are monotonic; certificates and OTP follow the wall"; }
test_nonces() { by_test "nonces" "a capture of all UDP through kills, rekeys, roaming, reload and upgrade" "no (key, epoch, sequence) twice"; }
test_churn() { by_test "churn" "churn of 300 clients, some workers killed" "memory slope 0; fds, mbufs and leases exact at idle"; }

# ------------------------------------------------------------------------------------------------------------------ main

add_netns "$SERVER" "$CLIENT" "$SECOND" "$NAME-b"
# A bridge joins them, as a switch does.
BRIDGE=$NAME-b
ip -n "$BRIDGE" link add br0 type bridge
ip -n "$BRIDGE" link set br0 up
port() { # NETNS INTERFACE ADDRESS[,ADDRESS] PORT
  ip link add name "$2" netns "$1" type veth peer name "$4" netns "$BRIDGE"
  ip -n "$BRIDGE" link set "$4" master br0 up
  set_address "$1" "$2" "$3"
}
ip -n "$CLIENT" route add local 198.18.0.0/15 dev lo # where the swarm speaks from
port "$SERVER" outer 192.0.2.1/24 p1
port "$CLIENT" eth0 192.0.2.2/24 p2
port "$SECOND" eth0 192.0.2.77/24,192.0.2.78/24 p3
ip -n "$SERVER" route add 198.18.0.0/15 via 192.0.2.2

mkdir "$WORK/disk"
mount -t tmpfs -o size=1m tmpfs "$WORK/disk"
at_end 'umount -l "$WORK/disk"' # a sec-mod whose main was killed may still be ending
cat > "$WORK/radius.conf" << CONF
authserver 127.0.0.1:1812
servers $WORK/radius-servers
dictionary /etc/radcli/dictionary
radius_timeout 2
radius_retries 1
CONF
echo "127.0.0.1 $RADIUS_SECRET" > "$WORK/radius-servers"
start silent-radius ip netns exec "$SERVER" socat -u UDP4-RECV:1812,bind=127.0.0.1 OPEN:/dev/null
{ add_user anna anna-secret; add_user bert bert-secret; } > /dev/null
say "many:*:$(perl -e 'print crypt("many-secret", "ab")')" >> "$WORK/passwd" # a hash that costs nothing
gateway 192.0.2.1 << CONF
session-file = $WORK/disk/sessions
max-ban-score = 0
max-clients = 0
max-same-clients = 0
ipv4-network = 10.99.0.0/20
[vhost:radius.example]
auth = "radius[config=$WORK/radius.conf]"
server-cert = $WORK/cert.pem
server-key = $WORK/key.pem
CONF
login anna anna
NETNS=$SECOND login bert bert
iperf_server
start load ip netns exec "$CLIENT" sh -c 'while :; do iperf3 -c '$INSIDE' -t 3600 -b 20M --connect-timeout 2000; sleep 0.5; done'
SWARM_USER=many SWARM_ECHO=$INSIDE swarm_start "$sessions_held" -p 20 -t 80
ask up || fail "the swarm is up"

all=(descriptors worker stop_worker nursery secmod dataplane stop_nursery stop_secmod stop_dataplane stop_main upgrade reload radius disk link mac mtu roam
  workers everybody main links radius_back resources full clock nonces churn)
[ ${#wanted[@]} -gt 0 ] || wanted=("${all[@]}")
say "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg); $sessions_held sessions, iperf3 at 20 Mbit/s"
[ -z "$markdown" ] || printf '\n| fault | goal | measured | |\n|---|---|---|---|\n'
# One that cannot be measured does not keep the others from it.
fail() { say "NOT: $*" >&2; missed=$((missed + 1)); }
for fault in "${wanted[@]}"; do
  [ "$(type -t "test_$fault")" != function ] || { "test_$fault"; continue; }
  settle
  probes_start
  "fault_$fault"
done
say "$met met, $missed missed, in $SECONDS s"
