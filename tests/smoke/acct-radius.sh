#!/usr/bin/env bash
# Sessions accounted at a real FreeRADIUS, to the byte; what it has missed while it was away arrives later, also after a restart.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── 127.0.0.1 FreeRADIUS
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/radius.lib"

record() { detail "$1" "$2" | tail -n "${LAST:-1}"; } # STATUS ATTRIBUTE
recorded() { matches "$(record "$1" "$2")" "$3"; }    # STATUS ATTRIBUTE REGEX
carried() { sed -n "s/.*user '$1' disconnected.*rx: \([0-9]*\), tx: \([0-9]*\)).*/\1 \2/p" "$WORK/gateway.log" | tail -n 1; }
has_records_on_disk() { [ -n "$(find "$WORK/spool" -name '*.acct' -size +0)" ]; }
nothing_on_disk() { never has_records_on_disk; }

network
radius_files
radius_start
gateway << CONF
acct = "radius[config=$WORK/radius/client.conf,nas-identifier=smoke]"
acct-spool = $WORK/spool
stats-report-time = 1
CONF
soon "the server is told that the gateway begins" recorded Accounting-On NAS-Identifier smoke

login first anna
soon "a session begins" recorded Start User-Name anna
expect "with the address inside" recorded Start Framed-IP-Address "$(given first INTERNAL_IP4_ADDRESS)"
expect "and the client's own" recorded Start Calling-Station-Id 192.0.2.2
expect "by a name of 64 random bits" recorded Start Acct-Session-Id '^[0-9a-f]{16}$'
id=$(record Start Acct-Session-Id)
expect "traffic passes" pings "$INSIDE"
soon "it is told of while the session lasts" recorded Interim-Update Acct-Input-Packets '[1-9]'

# The same cookie on another connection is the same session.
kill -USR2 "${client[first]}"
soon "the client has a new connection" has "$WORK/gateway.log" 'connected by worker 2'
soon "and passes traffic by it" pings "$INSIDE"
leave first
soon "its end is told" recorded Stop Acct-Session-Id "$id"
expect "as the user's wish" recorded Stop Acct-Terminate-Cause User-Request
expect "it was one session" same "$(detail Start Acct-Session-Id | wc -l)" 1
sums=$(sed -n "s/.*user 'anna' disconnected.*rx: \([0-9]*\), tx: \([0-9]*\)).*/\1 \2/p" "$WORK/gateway.log" | awk '{ i += $1; o += $2 } END { print i, o }')
expect "octets are the data path's, to the byte" same "$(record Stop Acct-Input-Octets) $(record Stop Acct-Output-Octets)" "$sums"

stop "$RADIUS"
login second bert
leave second
soon "nobody answers, and that is said once" has "$WORK/gateway.log" 'no server answers; records are kept'
soon "records wait on disk" has_records_on_disk
expect "for root's eyes alone" same "$(stat -c %a "$WORK/spool"/*)" 700
expect "others log in meanwhile" matches "$(get_cookie anna anna-secret)" '.{40,}'

# A restart of everything: what waits is still there.
MAY_END=1
stop "$GATEWAY"
start_gateway "$SERVER" || fail "the gateway starts again"
radius_start
PATIENCE=30 soon "the session's end arrives" recorded Stop User-Name bert
expect "after its beginning" same "$(detail Start User-Name | tail -n 1)" bert
expect "with the time that it has waited" more "$(record Stop Acct-Delay-Time)" 0
soon "nothing is left on disk" nothing_on_disk
