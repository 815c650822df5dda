#!/usr/bin/env bash
# An authorization server changes and ends sessions (RFC 5176): speed, times, where its client may send to; at once.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway: coa-listen          radclient at 192.0.2.2
. "$(dirname "$0")/lib.sh"

# "NAME = VALUE, ..." as root of the client's namespace; prints the answer.
order() { # coa|disconnect ATTRIBUTES [SECRET]
  printf '%s\n' "$2" | in_ns "$CLIENT" radclient -x -r 1 -t "${WAIT:-3}" 192.0.2.1:3799 "$1" "${3:-of-the-server}" 2>&1
}
now() { date +%s; }
acked() { matches "$(order "$1" "$2, Event-Timestamp = $(now)")" "Received ${1^}[A-Za-z]*-ACK"; } # coa|disconnect ATTRIBUTES
refused() { matches "$(order "$1" "$2, Event-Timestamp = $(now)")" "-NAK.*Error-Cause = $3"; }     # coa|disconnect ATTRIBUTES CAUSE
acked() { matches "$(order "$1" "$2, Event-Timestamp = $(now)")" '-ACK Id'; }
ignored() { matches "$(WAIT=0.3 order "$@")" 'No reply from server'; }
field() { user_field anna "$1"; }

mkdir -p "$WORK/groups"
network
cat > "$WORK/groups/narrow" << CONF
restrict-user-to-ports = "tcp(4444)"
CONF
printf '# who may\n192.0.2.2 of-the-server\n' > "$WORK/clients"
chmod 600 "$WORK/clients"
iperf_server
gateway << CONF
coa-listen = 192.0.2.1
coa-clients = $WORK/clients
config-per-group = $WORK/groups
CONF
login first anna
login_id=$(field ID)

expect "nobody gets an answer with a wrong secret" ignored disconnect "User-Name = anna, Event-Timestamp = $(now)" wrong
expect "or with an old request" ignored disconnect "User-Name = anna, Event-Timestamp = $(($(now) - 3600))"
expect "without a time it is refused" matches "$(order disconnect 'User-Name = anna')" 'Error-Cause = Missing-Attribute'
expect "an order names a session" refused disconnect 'NAS-Port-Type = Virtual' Missing-Attribute
expect "that there is" refused disconnect 'User-Name = nobody' Session-Context-Not-Found
expect "by all that is said of it" refused disconnect 'User-Name = anna, Framed-IP-Address = 10.99.0.250' Session-Context-Not-Found
expect "and is for this gateway" refused disconnect 'User-Name = anna, NAS-IP-Address = 192.0.2.99' NAS-Identification-Mismatch
expect "what is not known is not done" refused coa 'User-Name = anna, Framed-MTU = 1000' Unsupported-Attribute
expect "anna is still there" pings "$INSIDE"

expect "her speed is changed" acked coa "User-Name = anna, Framed-IP-Address = $(given first INTERNAL_IP4_ADDRESS), RP-Upstream-Speed-Limit = 2000, RP-Downstream-Speed-Limit = 4000"
expect "as show users tells" same "$(field raw_limit_rx) $(field raw_limit_tx)" "250000 500000"
expect "upwards it holds at once" more 5 "$(megabits)"
expect "and downwards" more 8 "$(megabits -R)"

expect "a filter is put in her way" acked coa "Calling-Station-Id = 192.0.2.2, Filter-Id = narrow"
expect "nothing passes but what it allows" never pings 10.99.0.77
expect "the speed is still as it was" same "$(field raw_limit_rx)" 250000
expect "a filter has to be there" refused coa 'User-Name = anna, Filter-Id = nowhere' Invalid-Attribute-Value
expect "her time is changed" acked coa "NAS-Port = $login_id, Session-Timeout = 36000, Idle-Timeout = 3600"
expect "she is still there" pings "$INSIDE"

login second bert --interface=tun1
order disconnect "User-Name = bert, Event-Timestamp = $(now)" > "$WORK/order.log"
expect "bert is disconnected" has "$WORK/order.log" 'Disconnect-ACK'
soon "his client has gone" client_gone second
expect "for good" lacks "$WORK/second.log" 'CSTP connected.*CSTP connected'
soon "his session is no more" same "$(ctl -j show sessions | jq '[.[] | select(.Username == "bert")] | length')" 0

expect "anna's time is up at once where she has had more" acked coa "User-Name = anna, Session-Timeout = 1"
soon "she has gone" client_gone first
