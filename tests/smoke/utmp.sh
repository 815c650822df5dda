#!/usr/bin/env bash
# Who is connected stands in utmp and wtmp: who(1) and last(1) show it, also after a crash, and whoever locks these files holds up
# nobody's login.
#
#   anna, bert ═══ gateway, with files of its own in the place of /run/utmp and /var/log/wtmp
. "$(dirname "$0")/lib.sh"

# The gateway's own mounts: penstockd finds its other programs beside the real one.
mkdir "$WORK/bin"
ln -s "$BIN/penstockctl" "$BIN/penstock-passwd" "$WORK/bin"
cat > "$WORK/bin/penstockd" << SH
#!/bin/sh
mount -t tmpfs none /run && mount -t tmpfs none /var/log && touch /run/utmp /var/log/wtmp &&
  mount --bind $WORK/utmp /run/utmp && mount --bind $WORK/wtmp /var/log/wtmp && exec $BIN/penstockd "\$@"
SH
chmod +x "$WORK/bin/penstockd"
BIN=$WORK/bin
: > "$WORK/utmp"
: > "$WORK/wtmp"

network
gateway <<< 'use-utmp = true'

on() { who "$WORK/utmp" | grep -qE "^$1 "; }                          # USER
records() { last -w -f "$WORK/wtmp" | grep -cE "^$1 .*$2" || :; }     # USER REGEX
size() { stat -c %s "$WORK/utmp"; }
read_lock() { # FILE: until it is ended
  exec perl -e 'open F, "+<", $ARGV[0]; $lock = pack("s s l! l! i", 0, 0, 0, 0, 0); fcntl(F, 6, $lock) or die; print "locked\n"; close STDOUT; sleep 100' "$1"
}

login anna anna
soon "who shows anna" on anna
expect "by interface and session, and from where" matches "$(who "$WORK/utmp")" '^anna +vpns0:1 .*\(192\.0\.2\.2\)$'
expect "as long as her worker lives" test -d "/proc/$(utmpdump "$WORK/utmp" 2> /dev/null | sed -n 's/^\[7\] \[0*\([0-9]*\)\].*/\1/p')"
expect "last says that she is there" same "$(records anna 'still logged in|gone - no logout')" 1
INTERFACE=tun1 login bert bert
soon "bert is another" on bert
expect "and she is still there" on anna
before=$(size)
leave anna
soon "she goes" never on anna
was_there() { last -w -f "$WORK/wtmp" | grep -qE "^$1 .* - .*\([0-9:]*\)"; } # USER; last says "still running" within a second
soon "last knows for how long she was there" was_there anna

start locker read_lock "$WORK/utmp"
holder=$pid
soon "somebody locks utmp" has "$WORK/locker.log" locked
login again anna
expect "anna's login does not wait for that" pings $INSIDE
expect "her record does" never on anna
stop "$holder"
soon "until the lock is gone" on anna
expect "her place in the file is that of before" same "$(size)" "$before"

MAY_END=1
kill_gateway
soon "the gateway is killed" gone "$GATEWAY"
expect "its records stay" on bert
stop "${client[again]}"
stop "${client[bert]}"
start_gateway "$SERVER"
soon "the next one closes them" never on bert
expect "all of them" never on anna
expect "which last knows" same "$(records '(anna|bert)' 'still logged in')" 0
INTERFACE=tun2 login third anna
soon "and goes on" on anna
kill "$GATEWAY"
soon "it stops" gone "$GATEWAY"
expect "and nobody is left" same "$(who "$WORK/utmp")" ''
