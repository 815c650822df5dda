#!/usr/bin/env bash
# Sessions accounted at a real FreeRADIUS, to the byte; what it has missed while it was away arrives later, also after a restart.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── 127.0.0.1 FreeRADIUS: logins at port 1812, accounting at 1813
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/freeradius.sh"

records() { radius_detail server "$@"; }                                          # STATUS ATTRIBUTE
record() { records "$@" | tail -n 1; }                                            # STATUS ATTRIBUTE: the last
recorded() { matches "$(record "$1" "$2")" "$3"; }                                # STATUS ATTRIBUTE REGEX
has_records_on_disk() { [ -n "$(find "$WORK/spool" -name '*.acct' -size +0)" ]; }
nothing_on_disk() { never has_records_on_disk; }

radius_users << 'USERS'
anna Cleartext-Password := "anna-secret"
  Class := "staff", Class += 0x00ff0a
USERS
network
radius_server server 1812
radius=$pid
radius_client "$WORK/radius.conf" 1812
AUTH="radius[config=$WORK/radius.conf]" gateway << CONF
acct = "radius[config=$WORK/radius.conf,nas-identifier=smoke]"
acct-spool = $WORK/spool
stats-report-time = 1
CONF
soon "the server is told that the gateway begins" recorded Accounting-On NAS-Identifier smoke

login first anna
soon "a session begins" recorded Start User-Name anna
expect "with the address inside" recorded Start Framed-IP-Address "$(given first INTERNAL_IP4_ADDRESS)"
expect "and the client's own" recorded Start Calling-Station-Id 192.0.2.2
expect "by the name that it had when anna logged in" has "$WORK/server.log" "Acct-Session-Id = \"$(record Start Acct-Session-Id)\""
expect "the server is given back what it has said" same "$(record Start Class)" 0x00ff0a
id=$(record Start Acct-Session-Id)
expect "traffic passes" pings "$INSIDE"
soon "it is told of while the session lasts" recorded Interim-Update Acct-Input-Packets '[1-9]'

# Who counts dies; who comes after goes on.
goes_on() { more "$(records Interim-Update Acct-Session-Id | grep -c "$id")" "$before"; }
kill -9 "$(pid_of 'Sec-mod PID')"
MAY_LOG='sec-mod \(pid [0-9]+\) died of signal 9'
soon "sec-mod is started anew" gateway_online
before=$(records Interim-Update Acct-Session-Id | wc -l)
soon "it goes on telling of the session" goes_on
expect "the gateway has been up all the time" same "$(records Accounting-On NAS-Identifier | wc -l)" 1

# The same cookie on another connection is the same session.
kill -USR2 "${client[first]}"
soon "the client has a new connection" has "$WORK/gateway.log" 'connected by worker 2'
soon "and passes traffic by it" pings "$INSIDE"
leave first
soon "its end is told" recorded Stop Acct-Session-Id "$id"
expect "as the user's wish" recorded Stop Acct-Terminate-Cause User-Request
expect "it was one session" same "$(records Start Acct-Session-Id | wc -l)" 1
sums=$(sed -n "s/.*user 'anna' disconnected.*rx: \([0-9]*\), tx: \([0-9]*\)).*/\1 \2/p" "$WORK/gateway.log" | awk '{ i += $1; o += $2 } END { print i, o }')
expect "octets are the data path's, to the byte" same "$(record Stop Acct-Input-Octets) $(record Stop Acct-Output-Octets)" "$sums"

# Without its server nobody logs in by RADIUS; who logs in otherwise is accounted later.
stop "$radius"
sed -i "s|^auth = .*|auth = \"plain[passwd=$WORK/passwd]\"|" "$CONFIG"
expect "the operator changes the way to log in" ctl reload
login second bert
leave second
soon "nobody answers, and that is said once" has "$WORK/gateway.log" 'no server answers; records are kept'
soon "records wait on disk" has_records_on_disk
expect "show auth says so" matches "$(ctl show auth)" 'accounting.*no server answers'
expect "for root's eyes alone" same "$(stat -c %a "$WORK/spool"/*)" 700
expect "others log in meanwhile" matches "$(get_cookie bert bert-secret)" '.{40,}'

# A restart of everything: what waits is still there.
MAY_END=1
stop "$GATEWAY"
start_gateway "$SERVER" || fail "the gateway starts again"
radius_server server 1812
PATIENCE=30 soon "the session's end arrives" recorded Stop User-Name bert
expect "after its beginning" same "$(record Start User-Name)" bert
expect "with the time that it has waited" more "$(record Stop Acct-Delay-Time)" 0
soon "nothing is left on disk" nothing_on_disk
