#!/usr/bin/env bash
# penstockd --import: an ocserv's configuration is explained line by line, with the files of its users and groups, and written anew.
# No network is needed.
. "$(dirname "$0")/lib.sh"

make_certificate
add_user anna anna-secret > /dev/null
chmod 600 "$WORK/key.pem"
mkdir -p "$WORK/old/config-per-user" "$WORK/old/config-per-group" "$WORK/moved"
cp "$WORK/passwd" "$WORK/old/ocpasswd"
printf 'route = 10.1.0.0/16\nexplicit-ipv4 = 192.168.1.7\nrouts = 10.2.0.0/16\n' > "$WORK/old/config-per-user/anna"
printf 'rx-data-per-sec = 40000\nno-udp = true\n' > "$WORK/old/config-per-group/staff"
OLD=$WORK/old/ocserv.conf NEW=$WORK/moved/penstock.conf

cat > "$OLD" << CONF
# the office's VPN, since 2019
auth = "plain[./ocpasswd]"
tcp-port = 443   # as everybody
udp-port = 443
socket-file = /run/ocserv-socket
server-cert = $WORK/cert.pem
server-key = $WORK/key.pem
run-as-user = nobody
run-as-group = nogroup
device = vpns
ipv4-network = 192.168.1.0
ipv4-netmask = 255.255.255.0
ipv4-dns = 192.168.1.1
camouflage_secret = "not-to-be-shown"
config-per-user = config-per-user
config-per-group = $WORK/old/config-per-group
CONF

import() { "$BIN/penstockd" --import "$OLD" "$@" 2>&1; }
report=$(import || :)
expect "a line that means the same here" matches "$report" '3  supported +tcp-port = 443   # as everybody'
expect "an older form is translated" matches "$report" "2  translated +auth = .*> auth = \"plain\[passwd=$WORK/old/ocpasswd\]\""
expect "and another name" matches "$report" '13  translated +ipv4-dns = .*> dns = 192.168.1.1'
expect "what has nothing to do here is told why" matches "$report" '5  no effect +socket-file = .*socket pairs'
expect "secrets are not shown" never matches "$report" 'not-to-be-shown'
expect "a user's file is looked at" matches "$report" "config-per-user/anna"$'\n'" +3  refused +routs = .*did you mean route.*supported +2 lines"
expect "a group's too" matches "$report" "config-per-group/staff"$'\n'" +supported +2 lines"
expect "and all is counted" matches "$report" ', 1 refused; files of users and groups: 2'
expect "what is refused has its exit status" never import
sed -i '/^routs/d' "$WORK/old/config-per-user/anna"
expect "nothing refused is fine" import
expect "what is not there has another" same "$("$BIN/penstockd" --import "$WORK/nowhere" > /dev/null 2>&1 || echo $?)" 2
expect "nothing was written" same "$(ls "$WORK/moved")" ""

expect "it is written anew" import --output "$NEW"
expect "nobody else may read that" same "$(stat -c %a "$NEW")" 600
expect "comments are kept" has "$NEW" "^# the office's VPN, since 2019"
expect "with what lines were" has "$NEW" '^# it was: auth = "plain\[./ocpasswd\]"'
expect "with what has no effect" has "$NEW" '^# socket-file'
expect "an existing file is left alone" never import --output "$NEW"
expect "it can be used" "$BIN/penstockd" -t -c "$NEW"
expect "and needs no translation itself" never matches "$("$BIN/penstockd" --import "$NEW" || :)" ' translated '

# A line that nobody understands stays in force: it may have kept somebody from something.
echo 'restrict-user-to-ports = "tcp(https)"' >> "$OLD"
import --output "$NEW.2" > /dev/null || :
expect "what was refused stands there" has "$NEW.2" '^restrict-user-to-ports = "tcp.https."'
expect "and is refused there, too" never "$BIN/penstockd" -t -c "$NEW.2"

# What the package of ocserv brings, where it is installed.
if [ -r /etc/ocserv/ocserv.conf ]; then
  sed "s,/etc/ocserv/passwd,$WORK/passwd,; s/^run-as-user.*/run-as-user = nobody/; s/^run-as-group.*/run-as-group = nogroup/" \
    /etc/ocserv/ocserv.conf > "$OLD"
  printf 'server-cert = %s\nserver-key = %s\n' "$WORK/cert.pem" "$WORK/key.pem" >> "$OLD"
  expect "Debian's ocserv.conf is taken whole" import
  expect "no line of it is unknown" matches "$(import)" ', 0 refused'
fi
