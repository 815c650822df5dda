#!/usr/bin/env bash
# The unit under a real systemd, with all that it takes from root: start, use, reload, watchdog, stop.
#
#   client ════ gateway, in a second root whose process 1 is systemd
. "$(dirname "$0")/lib.sh"

[ -x /lib/systemd/systemd ] || skip "there is no systemd here"
network
mkdir "$WORK/build"
cp -a "$BUILD"/{obj,gen,directories,penstock*,*.a} "$WORK/build"
mkdir "$WORK/machine" "$WORK/files"
expect "installing" make -sC "$TOP" BUILD="$WORK/build" DESTDIR="$WORK/files" PREFIX=/usr install

start machine ip netns exec "$SERVER" unshare --mount --pid --fork --kill-child --ipc --uts --cgroup "$TOP/tests/smoke/data/second-root" "$WORK/machine" \
  /lib/systemd/systemd --system --unit=basic.target --show-status=no
unshared=$pid
at_end "kill -KILL $unshared; wait $unshared 2> /dev/null" # it takes no TERM; its child, the machine's init, goes with it
machine_up() { machine=$(pgrep -P "$unshared") && has "/proc/$machine/comm" systemd && inside systemctl is-system-running; }
inside() { nsenter -t "$machine" -a "$@"; }
wait_for 30 machine_up || skip "a systemd of its own cannot run here: $(tail -n 1 "$WORK/machine.log")"
expect "its files are there" sh -c 'tar -C "$1" -c . | nsenter -t "$2" -a tar -C / -x' sh "$WORK/files" "$machine"
inside systemd-tmpfiles --create penstock.conf
make_certificate
inside sh -c 'cat > /etc/penstock/cert.pem' < "$WORK/cert.pem"
inside sh -c 'umask 077; cat > /etc/penstock/key.pem' < "$WORK/key.pem"
printf 'anna-secret\n' | inside penstock-passwd anna
# The watchdog's patience, for the test.
inside sh -c 'mkdir -p /run/systemd/system/penstock.service.d; printf "[Service]\nWatchdogSec=2\n" > /run/systemd/system/penstock.service.d/test.conf'
expect "systemd reads the unit" inside systemctl daemon-reload
expect "and finds no fault with it" inside systemd-analyze verify penstock.service

shown() { inside systemctl show -P "$1" penstock; }
is() { same "$(shown "$1")" "$2"; } # PROPERTY VALUE
journal() { inside journalctl -u penstock -o cat "$@"; }
show_journal() { inside journalctl -u penstock --no-pager > "$WORK/journal.log" 2>&1; }
trap 'status=$?; set +e; show_journal; (exit $status); conclude' EXIT

expect "it starts, as Type=notify says" inside systemctl start penstock
expect "it is up then" is SubState running
login client anna
expect "a client goes through" pings -I tun0 10.9.0.1
soon "systemctl status tells of it" is StatusText "1 clients connected"

connected() { journal -o json PENSTOCK_EVENT=connect | jq -r 'select(.PENSTOCK_USER == "anna") | .PENSTOCK_CLIENT + " " + .SYSLOG_IDENTIFIER'; }
expect "the journal knows it by its fields" same "$(connected)" "192.0.2.2 penstockd"
expect "a reload is tested first, and done" inside systemctl reload penstock
inside sh -c 'echo nonsense = 1 >> /etc/penstock/penstock.conf'
expect "a configuration with a mistake is not loaded" never inside systemctl reload penstock
expect "the journal says where it is" matches "$(journal)" 'penstock.conf:[0-9]*: nonsense'
inside sed -i '/^nonsense/d' /etc/penstock/penstock.conf
expect "nothing else has changed" is SubState running
expect "and the client stays" pings -I tun0 10.9.0.1

# A code is written down as used before it lets anybody in: below /etc, which the unit keeps from everything else.
secret=$(inside penstock-passwd -o /etc/penstock/otp anna | sed -n 's/.*[?&]secret=\([A-Z2-7]*\)&.*/\1/p')
inside cp /etc/penstock/penstock.conf /etc/penstock/before
inside sed -i 's,^auth = .*,auth = "plain[passwd=/etc/penstock/passwd\,otp=/etc/penstock/otp]",' /etc/penstock/penstock.conf
expect "one-time passwords are asked for" inside systemctl reload penstock
expect "the unit lets them be written down" matches "$(get_cookie anna anna-secret --token-mode=totp --token-secret="base32:$secret")" '.{40,}'
inside mv /etc/penstock/before /etc/penstock/penstock.conf
expect "and no longer" inside systemctl reload penstock

keeper=$(shown MainPID)
main_inside() { inside penstockctl -j show status | jq -r '."Main PID"'; }
main=$(main_inside)
expect "another penstockd takes over in place" inside penstockctl upgrade
soon "for systemd it is the same" eval 'is SubState running && is MainPID "$keeper" && is NRestarts 0'
expect "and for the client" pings -I tun0 10.9.0.1
expect "the journal has its fields from the new one, too" matches "$(journal _PID="$main" -n 20)" 'has taken over from'

inside kill -KILL "$main"
another_main() { local now; now=$(main_inside) && [ "$now" != "$main" ]; }
soon "when main is killed, another takes over" another_main
soon "for systemd it is the same" eval 'is SubState running && is MainPID "$keeper" && is NRestarts 0'
expect "and for the client" pings -I tun0 10.9.0.1
soon "systemctl status tells of it" is StatusText "1 clients connected"
expect "a reload is done" inside systemctl reload penstock
main=$(main_inside)
inside kill -STOP "$main"
soon "when main is silent, too" another_main
soon "which systemd needs not mind" eval 'is SubState running && is MainPID "$keeper" && is NRestarts 0'

inside kill -STOP "$keeper"
soon "when the keeper is silent, the watchdog starts all of it anew" is NRestarts 1
soon "it is up again" is SubState running
expect "as another process" differ "$(shown MainPID)" "$keeper"
PATIENCE=30 soon "the client comes back by itself" pings -I tun0 10.9.0.1

expect "it stops" inside systemctl stop penstock
expect "in good order" is Result success
expect "and has left nothing" never inside pgrep penstock

inside sh -c 'cat > /etc/systemd/system/penstock.socket' < "$TOP/doc/examples/penstock.socket"
expect "its ports may be systemd's" inside sh -c 'systemctl daemon-reload && systemctl start penstock.socket'
expect "it does not run" is SubState dead
start_client waker "$CLIENT" anna anna-secret 192.0.2.1
client[waker]=$pid
PATIENCE=30 soon "before a client comes" is SubState running
soon "who gets in" client_up waker
soon "with DTLS by systemd's socket" client_on_dtls waker
expect "a client goes through" pings -I tun0 10.9.0.1
expect "nobody listens there but by these" same "$(in_ns "$SERVER" ss -Hnltu 'sport = :443' | awk '{ print $1, $5 }' | sort | tr '\n' ' ')" 'tcp *:443 udp *:443 udp 0.0.0.0:443 '
stop "${client[waker]}"
inside systemctl stop penstock.socket penstock
expect "it stops with them" is SubState dead
