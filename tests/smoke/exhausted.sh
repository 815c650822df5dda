#!/usr/bin/env bash
# The disk is full, then one process after the other has no descriptor left, and then the disk is broken: each says so by name, who is there
# goes on, main does not spin, penstockctl answers, and all is well as soon as there is room again.
#
#   anna  tun0 ════╮                          ╭ session-file, quota-file, acct-spool, captures, history: a disk of 64 KiB
#   others     ════╪ 192.0.2.1 gateway ───────┤
#                  ╰                          ╰ main, sec-mod, nursery, dataplane: ulimit -n
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/freeradius.sh"

logged() { tail -n "+$((seen + 1))" "$WORK/gateway.log" | grep -qE "$1"; } # REGEX
look_from_here() { seen=$(wc -l < "$WORK/gateway.log"); }
goes_on() { answers -I tun0 $INSIDE; }
clients() { in_ns "$CLIENT" timeout 20 "$STORM" -n "$1" -d -t "${2:-10}" 192.0.2.1 443 anna anna-secret; } # HOW_MANY [PATIENCE]
client() { clients 1; }
one_fails() { never clients 1 1; }

DISK=$WORK/disk
mkdir "$DISK"
mount -t tmpfs -o size=64k,mode=755 tmpfs "$DISK"
at_end 'umount "$DISK"'
fill() { dd if=/dev/zero of="$DISK/fill" bs=4k 2> /dev/null || :; }

# Of the programs, penstockd and sec-mod write to that disk; a library that they are started with breaks it.
[ -z "${SANITIZED-}" ] || skip "the sanitizers want to be the first library"
LIBRARY=$BUILD/unit/disk_fault.so BUILT=$BIN BIN=$WORK/bin
mkdir "$BIN"
ln -s "$BUILT"/penstock* "$BIN"
rm "$BIN/penstockd" "$BIN/penstock-secmod"
cp "$BUILT/penstockd" "$BIN"
printf '#!/bin/sh\nDISK_FAULT=%s LD_PRELOAD=%s exec %s "$@"\n' "$WORK/broken" "$LIBRARY" "$BUILT/penstock-secmod" > "$BIN/penstock-secmod"
chmod 755 "$BIN/penstock-secmod"
say "-" > "$WORK/broken"
break_disk() { say x | dd of="$WORK/broken" conv=notrunc status=none; }

network
say "anna:*:$(perl -e 'print crypt("anna-secret", "ab")')" > "$WORK/passwd" # a hash that costs nothing
radius_client "$WORK/radius.conf" 1812 # where nobody listens
mkdir "$WORK/users"
say 'quota-day = 1G' > "$WORK/users/anna"
make_certificate
configure 192.0.2.1 << CONF
session-file = $DISK/sessions
quota-file = $DISK/quota
acct = "radius[config=$WORK/radius.conf]"
acct-spool = $DISK/spool
config-per-user = $WORK/users
max-ban-score = 0
max-clients = 64
max-same-clients = 0
CONF
start gateway ip netns exec "$SERVER" env DISK_FAULT="$WORK/broken" LD_PRELOAD="$LIBRARY" "$BIN/penstockd" -f -c "$CONFIG"
GATEWAY=$pid
wait_for 30 gateway_settled
expect "the gateway starts" gateway_online
login anna anna
soon "anna has DTLS" client_on_dtls anna

# ------------------------------------------------------------------------------------------------------------------ disk

fill
look_from_here
expect "with the disk full 30 log in, and go" clients 30
soon "that sessions do not outlive sec-mod is said" logged "$DISK/sessions: No space left on device: sessions do not outlive"
expect "no old file of them stays" never test -e "$DISK/sessions"
soon "that quotas do not outlive main is said" logged "quota-file $DISK/quota: No space left on device"
soon "that records of accounting stay in memory is said" logged "accounting: .*$DISK/spool/.*: No space left on device; records stay in memory"
expect "a capture says so" never ctl capture session 1 "$DISK/packets" seconds=1
pid_file() { in_ns "$SERVER" "$BIN/penstockd" -f -c "$CONFIG" --pid-file "$DISK/pid"; }
expect "a pid file" matches "$(pid_file 2>&1 || :)" "$DISK/pid: No space left on device"
expect "anna's packets cross" goes_on
expect "somebody else logs in" client
rm "$DISK/fill"

# ----------------------------------------------------------------------------------------------------------- descriptors

# As its own user: who is root here need not be root of the machine.
limited() { # PID PRLIMIT_OPTION...
  local who
  who=$(stat -c '--reuid=%u --regid=%g' "/proc/$1")
  # shellcheck disable=SC2086
  setpriv $who --clear-groups prlimit --pid "$@"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # PID
none_left() { # PID: the lowest number that is free is the first that it may not have
  local n=0
  while [ -L "/proc/$1/fd/$n" ]; do n=$((n + 1)); done
  limited "$1" "--nofile=$n:"
}
room_again() { limited "$1" "--nofile=$(limited "$1" --nofile --output=HARD --noheadings --raw | tr -d ' '):"; }

without_descriptors() { # NAME PID WHAT_IS_LOGGED
  local before
  look_from_here
  none_left "$2"
  before=$(ticks "$(main_pid)")
  expect "where $1 has no descriptor left, a client is refused" one_fails
  expect "penstockctl answers" ctl show users
  soon "the log says why" logged "$3"
  expect "anna's packets cross" goes_on
  expect "main does not spin" more 20 $(($(ticks "$(main_pid)") - before))
  room_again "$2"
  soon "with room again the next one is served" client
}
without_descriptors main "$(main_pid)" 'cannot accept: Too many open files; pausing'
for part in 'Sec-mod penstock-secmod' 'Nursery penstock-worker' 'Dataplane penstock-dataplane'; do
  of=$(pid_of "${part% *} PID")
  without_descriptors "the ${part% *}" "$of" "${part#* }\[$of\]: main: out of descriptors: a message is lost"
done
soon "who asked for a tunnel was refused, by name" logged 'the dataplane refuses its tunnel: it has no descriptor left for a lane'
# Both have been tried again meanwhile.
soon "with room on the disk again sessions outlive sec-mod" has "$WORK/gateway.log" "$DISK/sessions: sessions outlive this process again"
soon "and quotas outlive main" has "$WORK/gateway.log" "quota-file $DISK/quota: what users have used is in it again"

# ----------------------------------------------------------------------------------------------------------- a broken disk

look_from_here
break_disk
expect "with the disk broken somebody logs in, and goes" client
expect "that sessions do not outlive sec-mod is said" logged "$DISK/sessions: Input/output error: sessions do not outlive"
soon "that quotas do not outlive main is said" logged "quota-file $DISK/quota: Input/output error"
expect "anna's packets cross" goes_on
expect "penstockctl answers" ctl show users
expect "nobody has died" lacks "$WORK/gateway.log" 'died of'
