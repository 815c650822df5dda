#!/usr/bin/env bash
# The Debian package: built, installed in a root of its own, started as its unit would, used, upgraded, removed and purged.
#
#   client ════ gateway, in a second root over this machine's
. "$(dirname "$0")/lib.sh"

[ -z "${SANITIZED-}" ] || skip "a package has a build of its own"
network
# Its own build tree: a package is compiled with Debian's flags and for Debian's places.
build_deb() { make -sC "$TOP" BUILD="$WORK/build" deb > "$WORK/deb.log" 2>&1; }
expect "the package is built" build_deb
deb=$(ls "$WORK"/build/deb/penstock_*_*.deb)
doc=$(ls "$WORK"/build/deb/penstock-doc_*_all.deb)

mkdir "$WORK/machine"
start machine ip netns exec "$SERVER" unshare --mount --pid --fork --kill-child --ipc --uts "$TOP/tests/smoke/data/second-root" "$WORK/machine" sleep infinity
unshared=$pid
at_end "kill -KILL $unshared; wait $unshared 2> /dev/null" # it takes no TERM; its child goes with it
machine_up() { machine=$(pgrep -P "$unshared") && has "/proc/$machine/comm" sleep; }
wait_for 20 machine_up || skip "a second root cannot be made here: $(tail -n 1 "$WORK/machine.log")"
inside() { nsenter -t "$machine" -a "$@"; }
expect "and copied there" inside sh -c 'cat > /root/penstock.deb' < "$deb"
inside sh -c 'cat > /root/penstock-doc.deb' < "$doc"
inside sh -c 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d'
apt_says() { inside env DEBIAN_FRONTEND=noninteractive dpkg "$@" > "$WORK/dpkg.log" 2>&1; }

expect "it installs" apt_says -i /root/penstock.deb /root/penstock-doc.deb
expect "it is installed whole" same "$(inside dpkg --verify penstock penstock-doc)" ""
expect "its configuration is for root alone" same "$(inside stat -c %a:%U /etc/penstock/penstock.conf)" 600:root
expect "the user of its configuration is there" inside sh -c 'id "$(sed -n "s/^run-as-user = //p" /etc/penstock/penstock.conf)"'
expect "its manual is there" inside test -s /usr/share/man/man8/penstockd.8.gz
expect "without a certificate it says what is missing" matches "$(inside penstockd -t 2>&1 || :)" '/etc/penstock/[a-z.]*: No such file'

make_certificate
inside sh -c 'cat > /etc/penstock/cert.pem' < "$WORK/cert.pem"
inside sh -c 'umask 077; cat > /etc/penstock/key.pem' < "$WORK/key.pem"
printf 'anna-secret\n' | inside penstock-passwd anna

# What the unit says, with somebody who listens as systemd does.
unit=/usr/lib/systemd/system/penstock.service
of_unit() { inside sed -n "s/^$1=//p" $unit; }
if command -v systemd-analyze > /dev/null; then
  expect "systemd finds no fault with the unit" inside systemd-analyze verify $unit
fi
start listener nsenter -t "$machine" -a socat -u UNIX-RECV:/run/notify -
wait_for 10 inside test -S /run/notify || fail "a listener"
told() { has "$WORK/listener.log" "$1"; }
# shellcheck disable=SC2046
start gateway nsenter -t "$machine" -a env NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=2000000 \
  $(of_unit ExecStart | sed 's/--syslog/--log-stderr/')
soon "it starts by its unit's command line, and says so" told 'READY=1'
soon "the watchdog is fed" told 'WATCHDOG=1'
login client anna
expect "a client goes through" pings -I tun0 10.9.0.1
soon "which systemctl status would tell" told 'STATUS=1 clients connected'
reload() { of_unit ExecReload | { ok=0; while read -r line; do inside $line < /dev/null || { ok=1; break; }; done; return $ok; }; }
expect "its reload works" reload
expect "and is told" told 'RELOADING=1'
inside sh -c 'echo nonsense = 1 >> /etc/penstock/penstock.conf'
expect "a mistake is told by the reload" never reload
expect "and the client stays" pings -I tun0 10.9.0.1
expect "installing it again" apt_says -i --force-confold /root/penstock.deb
soon "lets the new program take over" has "$WORK/gateway.log" 'penstockd .* has taken over from .*: 1 sessions'
expect "disturbs nobody" pings -I tun0 10.9.0.1
expect "and leaves the configuration alone" inside grep -q nonsense /etc/penstock/penstock.conf
expect "it stops" inside penstockctl stop now
soon "and tells so" told 'STOPPING=1'

expect "it is removed" apt_says -r penstock penstock-doc
expect "its configuration stays" inside test -s /etc/penstock/penstock.conf
expect "its programs are gone" never inside test -e /usr/sbin/penstockd
expect "it is purged" apt_says -P penstock
expect "and so is the configuration" never inside test -e /etc/penstock/penstock.conf
expect "and what it had kept" never inside test -e /var/lib/penstock
