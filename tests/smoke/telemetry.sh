#!/usr/bin/env bash
# What reads DPDK's telemetry is told the dataplane's sums, and nothing of any client; there is no socket unless it is wanted.
#
#   anna ═══ DTLS ═════════════╗
#   bert ═══ TLS (--no-dtls) ══╩═ 192.0.2.1 gateway ── telemetry.socket ── python3
. "$(dirname "$0")/lib.sh"

socket=$WORK/telemetry.socket
# As dpdk-telemetry.py: the greeting first, then an answer for each command.
read_telemetry() { # COMMAND...
  python3 - "$socket" "$@" << 'PYTHON'
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(5)
s.connect(sys.argv[1])
room = json.loads(s.recv(1024))["max_output_len"]
for command in sys.argv[2:]:
    s.send(command.encode())
    print(json.dumps(json.loads(s.recv(room))))
PYTHON
}
listeners() { # Unix sockets of the gateway's processes
  local pids
  pids=$(pid_of "Dataplane PID")
  in_ns "$SERVER" ss -Hxlp | grep -E "pid=($pids|$GATEWAY|$(main_pid))," | awk '{ print $5 }'
}

network
gateway < /dev/null
expect "by default penstockctl's socket is the only one" same "$(listeners | wc -l)" 1
expect "there is none of EAL's" never has <(find /run/dpdk /tmp/dpdk "$WORK" -name 'dpdk_telemetry*' 2> /dev/null) telemetry
stop "$GATEWAY"

gateway << CONF
telemetry-socket-file = $socket
CONF
expect "it is root's alone" same "$(stat -c '%U %a' "$socket")" "root 600"
expect "nobody else can connect" never setpriv --reuid=65534 --clear-groups python3 -c \
  'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])' "$socket" 2> /dev/null
login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
expect "pings cross" pings $INSIDE

expect "it says what there is" same "$(read_telemetry / | jq -c '."/"')" \
  '["/","/info","/penstock/cores","/penstock/counters","/penstock/pools","/penstock/tunnels"]'
two_up() { same "$(read_telemetry /penstock/tunnels | jq -c '.[] | [.up, .dtls, .cstp]')" '[2,1,1]'; }
soon "two tunnels are up, one by each way" two_up
sums_agree() { # at a moment when nothing crosses
  same "$(read_telemetry /penstock/counters | jq -cS '.[]')" \
    "$(ctl -j show dataplane | jq -cS '.counters | map({ (.name): .value }) | add')"
}
soon "the sums are those of show dataplane" sums_agree
cores_agree() {
  same "$(read_telemetry /penstock/cores | jq -c '.[] | map([.cpu, .packets, .tunnels])')" \
    "$(ctl -j show dataplane | jq -c '.cores | map([.cpu, .packets, .tunnels])')"
}
soon "so is what each core did" cores_agree
expect "pools have what is free, and no more" same \
  "$(read_telemetry /penstock/pools | jq '.[] | [.[] | .free <= .total and .total > 0] | all')" true
all=$(read_telemetry / /info /penstock/cores /penstock/counters /penstock/pools /penstock/tunnels)
expect "no user or address is in it" never matches "$all" 'anna|bert|192\.0\.2|10\.99|2001:db8'

dataplane=$(pid_of "Dataplane PID")
expect "what it does not know is nothing" same "$(read_telemetry '/ethdev/link_status,0' '"}\' "$(printf '%01024d' 0)" | wc -l)" 3
expect "what EAL's server would offer is not there" same "$(read_telemetry /ethdev/list /eal/params | jq -c '.[]' | uniq)" null
more_than_four() {
  python3 - "$socket" << 'PYTHON'
import socket, sys
all = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(6)]
for s in all:
    s.settimeout(5)
    s.connect(sys.argv[1])
print(sum(s.recv(1024) != b"" for s in all))
PYTHON
}
expect "four at once are answered" same "$(more_than_four)" 4
deaf() { # asks and asks, and never reads
  python3 - "$socket" << 'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(5)
s.connect(sys.argv[1])
try:
    while True:
        s.send(b"/penstock/counters")
except (BrokenPipeError, ConnectionResetError):
    pass
PYTHON
}
expect "who does not read is let go" deaf
expect "and the dataplane is the same" same "$(pid_of "Dataplane PID")" "$dataplane"
expect "pings still cross" pings $INSIDE
MAY_END=yes
stop "$GATEWAY"
expect "the socket goes with the gateway" never test -e "$socket"
