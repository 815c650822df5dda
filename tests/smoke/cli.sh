#!/usr/bin/env bash
# penstockctl: tables, JSON, the shell, its exit statuses, and who may use it.
#
#   client ════ 192.0.2.1 gateway ── admin socket ── penstockctl
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
CONF
login client anna --os=linux-64
soon "DTLS is up" client_on_dtls client

expect "show users is a table" matches "$(ctl show users | head -n 1)" '^id +user +vhost +ip +vpn-ip +device +since +dtls-cipher +status$'
expect "with anna in it" matches "$(ctl show users)" 'anna .*192\.0\.2\.2 .*10\.99\.0\.'
expect "show user prints lines" matches "$(ctl show user anna)" $'\tUsername: anna\n'
expect "show id the same" matches "$(ctl show id "$(user_field anna ID)")" $'\tUsername: anna\n'
expect "which leave out where the client is, as nobody knows" never matches "$(ctl show user anna)" Location
expect "but JSON has the key" same "$(ctl -j show user anna | jq -r '.[0].Location')" unknown
expect "show user as JSON" same "$(ctl -j show user anna | jq -r '.[0].Username')" anna
expect "with lists" same "$(ctl -j show user anna | jq -r '.[0].DNS | type')" array
expect "rates are numbers too" same "$(ctl -j show user anna | jq -c '.[0] | [.raw_average_rx, .raw_average_tx | type]')" '["number","number"]'
expect "show status" matches "$(ctl show status)" 'Status: online'
expect "show status as JSON has numbers" same "$(ctl -j show status | jq '."Active sessions"')" 1
expect "counted since the start" same "$(ctl -j show status | jq '.raw_last_stats_reset == .raw_up_since')" true
expect "show sessions" same "$(ctl -j show sessions | jq -r '.[0].Username')" anna
expect "of which programs learn more" same "$(ctl -j show sessions | jq -c '.[0] | [.Location, .session_is_open, .tls_auth_ok]')" '["unknown",true,false]'
get_cookie bert bert-secret > /dev/null
expect "a session says for how long it stays" matches "$(ctl -j show sessions | jq -r '.[] | select(.Username == "bert") | ._Expires')" '^[45]m'
expect "show dataplane has ports, cores and counters" matches "$(ctl -j show dataplane | jq -r 'keys | join(" ")')" 'cores counters .*ports'
expect "a core's busy share is for people" matches "$(ctl -j show dataplane | jq -r '.cores[0].busy')" '^[0-9]+\.[0-9]%$'
expect "and its thousandths for programs" matches "$(ctl -j show dataplane | jq '.cores[0].raw_busy_permille')" '^[0-9]+$'
expect "show sessions all" same "$(ctl -j show sessions all | jq -r '.[] | select(.Username == "anna") | .State, .valid')" $'connected\ntrue'
expect "show sessions valid" same "$(ctl -j show sessions valid | jq -r '.[].Username' | sort)" $'anna\nbert'
for command in status users sessions "sessions all" dataplane "ip bans"; do
  expect "show $command is JSON" jq -e . <<< "$(ctl -j show $command)"
done

of_status() { same "$(ctl -j show status | jq --arg k "$1" '.[$k]')" "$2"; } # KEY VALUE
expect "anna's session counts" of_status 'Sessions handled' 1
echo 'server-stats-reset-time = 1' >> "$CONFIG"
expect "statistics are to begin anew each second" ctl reload
soon "and do" of_status 'Sessions handled' 0
expect "totals do not" of_status 'Total sessions' 1

expect "the shell takes commands" matches "$(printf 'reset\nshow users\nhelp\nexit\n' | "$BIN/penstockctl" -s "$WORK/admin.socket")" 'anna'

expect "a command may come as one word, as occtl takes it" matches "$(ctl "show  user anna")" $'\tUsername: anna\n'
status() { timeout 10 "$BIN/penstockctl" "$@" > /dev/null 2>&1 && say 0 || say $?; }
expect "status 0" same "$(status -s "$WORK/admin.socket" show users)" 0
expect "status 1 when refused" same "$(status -s "$WORK/admin.socket" show user zoe)" 1
long() { printf '%*s' "$1" '' | sed 's/ /é/g; s/^/a/'; } # CHARACTERS of two bytes, so that half of one is cut off
expect "an answer that is too long is cut, between characters" same "$(status -s "$WORK/admin.socket" show user "$(long 510)")" 1
expect "status 1 when nobody is there" same "$(status -s "$WORK/nowhere" show users)" 1
expect "help needs no gateway" matches "$("$BIN/penstockctl" -s "$WORK/nowhere" help)" 'show users'
expect "status 2 for nonsense" same "$(status -s "$WORK/admin.socket" show nonsense)" 2
expect "in one word, too" same "$(status -s "$WORK/admin.socket" 'show user "anna')" 2

expect "the socket is its owner's alone" same "$(stat -c %a "$WORK/admin.socket")" 600
chmod 666 "$WORK/admin.socket"
as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$BIN/penstockctl" -s "$WORK/admin.socket" show users; }
expect "even where it is not, strangers are refused" never as_nobody
expect "and root is not" ctl show users
