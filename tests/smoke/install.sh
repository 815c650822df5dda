#!/usr/bin/env bash
# README's "Running it", line by line, on a machine where nothing is installed: /etc is a copy, /usr/local and /run are empty.
#
#   client ════ every address: gateway, as README starts it
. "$(dirname "$0")/lib.sh"

# What README says, without the packages, which the machine has.
readme_says() { sed -n '/^## Running it/,/^## How fast/s/^    //p' "$TOP/README.md" | grep -v 'deb-deps'; }

network
mkdir "$WORK/etc"
cp -a /etc/. "$WORK/etc"
rm -rf "$WORK/etc/penstock"
start machine ip netns exec "$SERVER" unshare -m sleep infinity
machine=$pid
inside() { nsenter -t "$machine" -m -n "$@"; }
wait_for 10 has "/proc/$machine/comm" sleep || fail "a mount namespace"
inside mount --bind "$WORK/etc" /etc
inside mount -t tmpfs none /usr/local
inside mount -t tmpfs none /run
MAKEFLAGS="BUILD=${BUILD#"$TOP"/}"
export MAKEFLAGS

expect "README has the steps" matches "$(readme_says)" 'make install.*penstockd.*show users'
readme_says > "$WORK/steps"
in_place() { printf "anna-secret\n" | inside bash -exo pipefail -c 'cd "$1"; . "$2"' in_place "$TOP" "$WORK/steps"; }
expect "they work as written" in_place
daemon=$(inside cat /run/penstockd.pid)
at_end "stop $daemon $(born "$daemon")"

PIN=$(pin_of "$WORK/etc/penstock/cert.pem")
login client anna
expect "a client goes through" pings -I tun0 10.9.0.1
expect "and is listed" matches "$(inside penstockctl show users)" 'anna'

echo '# mine' >> "$WORK/etc/penstock/penstock.conf"
expect "installing again" inside make -sC "$TOP" install
expect "leaves the configuration alone" has "$WORK/etc/penstock/penstock.conf" '^# mine$'
expect "the sample is beside the manual" inside test -s /usr/local/share/doc/penstock/penstock.conf
expect "and the manual is there" inside test -s /usr/local/share/man/man8/penstockd.8
expect "with penstockctl's commands" inside grep -q 'show dataplane' /usr/local/share/man/man8/penstockctl.8
expect "which bash completes" inside bash -c '. /usr/local/share/bash-completion/completions/penstockctl; complete -p penstockctl'
expect "penstockctl stop now" inside penstockctl stop now
soon "it is gone" gone "$daemon"

# ocserv's configuration, where it always was.
mkdir -p "$WORK/etc/ocserv"
mv "$WORK/etc/penstock/penstock.conf" "$WORK/etc/ocserv/ocserv.conf"
expect "without ours, ocserv's is read" matches "$(inside penstockd -t 2>&1)" '/etc/ocserv/ocserv.conf: the configuration is good'
mv "$WORK/etc/ocserv/ocserv.conf" "$WORK/etc/ocserv.conf"
expect "and that of old" matches "$(inside penstockd -t 2>&1)" '/etc/ocserv.conf: the configuration is good'
rm "$WORK/etc/ocserv.conf"
expect "without any, ours is missed" matches "$(inside penstockd -t 2>&1 || :)" '/etc/penstock/penstock.conf: .*cannot be read'

# Another place: DESTDIR and SYSCONFDIR are honoured, and the sample names the directory that it stands in.
mkdir "$WORK/build"
cp -a "$BUILD"/{obj,gen,man,directories,penstock*,*.a} "$WORK/build"
elsewhere() { make -sC "$TOP" BUILD="$WORK/build" DESTDIR="$WORK/root" PREFIX=/opt/penstock SYSCONFDIR=/opt/etc install; }
expect "installing elsewhere" elsewhere
expect "has its configuration there" has "$WORK/root/opt/etc/penstock/penstock.conf" 'passwd=/opt/etc/penstock/passwd'
expect "which the programs look for" matches "$("$WORK/root/opt/penstock/sbin/penstockd" --help)" '/opt/etc/penstock/penstock.conf'
