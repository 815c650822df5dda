#!/usr/bin/env bash
# Who may ask the gateway: root all, members of occtl-readonly-group only what changes nothing and shows no packets.
#
#   client ════ 192.0.2.1 gateway ── admin socket ── penstockctl as root, as nobody, as nobody in the group operator
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
occtl-readonly-group = operator
CONF
chmod 755 "$WORK" # or nobody but root would reach the socket
login client anna
ask() { "$BIN/penstockctl" -s "$WORK/admin.socket" "$@"; }
member() { setpriv --reuid nobody --regid nogroup --groups operator "$BIN/penstockctl" -s "$WORK/admin.socket" "$@"; }
primary() { setpriv --reuid nobody --regid operator --clear-groups "$BIN/penstockctl" -s "$WORK/admin.socket" "$@"; }
stranger() { setpriv --reuid nobody --regid nogroup --clear-groups "$BIN/penstockctl" -s "$WORK/admin.socket" "$@"; }
mode() { stat -c '%a %U:%G' "$WORK/admin.socket"; }

expect "the socket is root's and the group's" same "$(mode)" '660 root:operator'
expect "a member sees who is there" matches "$(member show users)" anna
expect "and so does who has it as his first group" matches "$(primary show users)" anna
expect "strangers do not" matches "$(stranger show users 2>&1 || :)" 'permission denied'
chmod 666 "$WORK/admin.socket"
expect "not even where the socket is open to all" never stranger show users

# By the table, so that a new command is decided on: whatever is not marked there is refused, by the gateway and not by penstockctl.
with_arguments() { # READ_ONLY: a line for each command, with something for what it wants
  "$BIN/penstockctl" -j help | jq -r --argjson read "$1" '.[] | select(."read only" == $read and .answer != "local") |
    .command + if .argument[:1] == "[" then " 0" else (.argument | split(" ") | map(select(.[:1] != "[") | " -") | add // "") end'
}
refusals() { # READ_ONLY
  local command
  with_arguments "$1" | while read -r command; do
    # shellcheck disable=SC2086
    member $command > "$WORK/answer" 2>&1 < /dev/null || lacks "$WORK/answer" 'only root may do this' || say "$command"
  done
}
expect "nothing that only looks is refused" same "$(refusals true)" ""
expect "and all else is" same "$(refusals false)" "$(with_arguments false)"
expect "which the log says" has "$WORK/gateway.log" 'reader \(uid 65534, pid [0-9]+\): refused: stop now'
expect "anna is still there" user_has anna State connected

# What is no question at all.
expect "nonsense is no way in" setpriv --reuid nobody --regid operator --clear-groups \
  socat -u OPEN:/dev/urandom,readbytes=2000 "UNIX-CONNECT:$WORK/admin.socket,type=5"
expect "and hurts nobody" member show users

# Places: however many readers come, root gets in.
for i in {1..9}; do start "reader$i" setpriv --reuid nobody --regid operator --clear-groups "$BIN/penstockctl" -s "$WORK/admin.socket" show events; done
soon "four readers listen" eval '[ "$(ss -xH state established | grep -c "$WORK/admin.socket")" = 4 ]'
expect "and root asks" ask show status

sed -i 's/^occtl-readonly-group.*/occtl-readonly-group = staff/' "$WORK/penstock.conf"
expect "the group is another" ask reload
expect "the socket's, too" same "$(mode)" '660 root:staff'
expect "members of the old one are strangers" never member show users
soon "those who listened have gone" eval '[ "$(ss -xH state established | grep -c "$WORK/admin.socket")" = 0 ]'
sed -i '/^occtl-readonly-group/d' "$WORK/penstock.conf"
expect "there is no group" ask reload
expect "the socket is root's alone" same "$(mode)" '600 root:root'
sed -i '$aocctl-readonly-group = no-such-group' "$WORK/penstock.conf"
expect "a group that there is not" never ask reload
expect "is named" has "$WORK/gateway.log" 'no-such-group: there is no such group'
