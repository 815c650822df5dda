#!/usr/bin/env bash
# What happens is told as it happens, to people and to programs.
#
#   client 198.51.100.2 ════ 192.0.2.1 gateway ── penstockctl show events
. "$(dirname "$0")/lib.sh"

network
client_from_afar "$CLIENT" 2
gateway 192.0.2.1 << CONF
max-ban-score = 40
ban-points-wrong-password = 30
CONF
listen() { start "$1" "$BIN/penstockctl" -s "$WORK/admin.socket" "${@:2}"; } # LABEL WORD...
# Whoever listens says nothing before something happens: its channel has to be there.
listeners() { [ "$(ss -xH state established | grep -c "$WORK/admin.socket")" = "$1" ]; }
listen people show events
people=$pid
listen programs -j show events
programs=$pid
listen bounded show events 1
bounded=$pid
soon "three listen" listeners 3

login anna anna
soon "a login is told" has "$WORK/people.log" '^20..-..-.. ..:..:.. login anna from 198\.51\.100\.2 by plain: logged in \([0-9]+ ms\)$'
soon "a connection too" has "$WORK/people.log" ' connect anna from 198\.51\.100\.2 session [0-9a-f]{6} 10\.99\.0\.[0-9]+$'
soon "who wanted one event has one" gone "$bounded"
expect "the first" same "$(cut -d' ' -f3- "$WORK/bounded.log" | grep -c '^login anna')" 1
leave anna
soon "the end of it" has "$WORK/people.log" ' disconnect anna from .*: disconnected by the user \([0-9]+ s, rx [0-9]+, tx [0-9]+\)$'
soon "and of the session" has "$WORK/people.log" ' session-end anna .*: disconnected by the user$'
cookie=$(get_cookie bert bert-secret)
expect "a cookie is voided" ctl terminate user bert
soon "which is told" has "$WORK/people.log" ' session-end session [0-9a-f]{6}: terminated$'
login_with_cookie bert "$cookie"
soon "and opens nothing" has "$WORK/people.log" ' refused from 198\.51\.100\.2: the cookie is unknown'
for n in 1 2; do get_cookie $'b\xc3\xb6se' wrong > /dev/null || :; done
soon "wrong passwords" has "$WORK/people.log" $' login-failed b\xc3\xb6se from .*: wrong user or password'
soon "a ban" has "$WORK/people.log" ' ban 198\.51\.100\.2: wrong passwords \(300 s\)$'
ctl unban ip 198.51.100.2 > /dev/null
soon "and its end" has "$WORK/people.log" ' unban 198\.51\.100\.2$'
soon "programs are told the same" has "$WORK/programs.log" unban
expect "each line is an object" same "$(jq -r .event "$WORK/programs.log" | sort -u | tr '\n' ' ')" 'ban connect disconnect login login-failed refused session-end unban '
expect "with the session's name" same "$(jq -r 'select(.event == "disconnect") | ."Full session" | length' "$WORK/programs.log")" 64

expect "a reload" ctl reload
soon "is told" has "$WORK/people.log" ' gateway: configuration reloaded$'
ctl maintenance on > /dev/null
ctl maintenance off > /dev/null
soon "and maintenance" has "$WORK/people.log" ' gateway: maintenance is over$'
expect "what is no number is refused" never ctl show events many

stop "$programs"
stop "$people"
listen last show events
last=$pid
soon "the last one listens" listeners 1
MAY_END=1
ctl stop now > /dev/null
soon "the gateway ends" gone "$GATEWAY"
soon "and so does who listens" gone "$last"
expect "without complaint" never has "$WORK/last.log" penstockctl
