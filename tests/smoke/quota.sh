#!/usr/bin/env bash
# Quotas: who has used up his day or month goes at once, with all his sessions and told why, and does not come back; what has been used
# survives restarts, and a death of the gateway. And accounts that expire.
#
#   anna  quota-day 2M (her own file), twice ══╮
#   bert  no quota ════════════════════════════┼ 192.0.2.1 gateway
#   carl  expires in a few seconds ════════════┤
#   dora, emil  quota-month 300K (their group)═╯
. "$(dirname "$0")/lib.sh"
MAY_END=1

network
mkdir "$WORK/users" "$WORK/groups"
echo 'quota-day = 2M' > "$WORK/users/anna"
printf 'penstock quota 1\n20261126 5 202611 garb' > "$WORK/quota"
start_it() {
  gateway << CONF
config-per-user = $WORK/users
config-per-group = $WORK/groups
quota-file = $WORK/quota
CONF
}
start_it
expect "a broken file is named" has "$WORK/gateway.log" "quota-file $WORK/quota: line 2 is not understood; it is set aside as"
expect "and set aside" same "$(cat "$WORK"/quota.broken-*)" "$(printf 'penstock quota 1\n20261126 5 202611 garb')"

used() { ctl -j show quota user anna | jq -r ".[0].\"raw_$1\""; } # day|month|day_quota
login anna anna
INTERFACE=tun1 login again anna --no-dtls
INTERFACE=tun2 login bert bert
soon "anna has DTLS" client_on_dtls anna
# 200 pings of 1000 bytes and their replies, with 28 bytes of headers
flood() { in_ns "$CLIENT" ping -q -f -c "$2" -s 1000 -I "$1" $INSIDE > /dev/null; } # DEVICE PINGS
flood tun0 200
flood tun1 200
counted() { [ "$(used day)" -gt 822000 ] && [ "$(used day)" -lt 835000 ]; }
soon "both her sessions count, both ways" counted
expect "in her month, too" same "$(used month)" "$(used day)"
expect "beside what she may" same "$(used day_quota)" 2000000
expect "of bert nothing is counted" never ctl show quota user bert
expect "the table has her" matches "$(ctl show quota)" 'anna +default +82[0-9]\.[0-9] KB +2\.0 MB'

flood tun0 700 || :
soon "what is too much ends her session" client_gone anna
soon "and the other one" client_gone again
expect "which is told why" client_says anna 'your quota is used up'
expect "and logged" has "$WORK/gateway.log" "user 'anna' disconnected .*quota is used up"
expect "the operator still sees what she had" same "$(used day_quota)" 2000000
expect "bert is still there" pings -I tun2 $INSIDE
expect "little was more than she may" more 2300000 "$(used day)"

turned_away() { # LABEL USER REGEX
  INTERFACE=tun3 start_client "$1" "$CLIENT" "$2" "$2-secret" 192.0.2.1
  wait_for 10 gone "$pid" && never client_up "$1" && client_says "$1" "$3"
}
expect "she does not come back today" turned_away back anna 'reason: the quota of this day is used up'

was=$(used day)
expect "an upgrade" ctl upgrade
expect "takes it along" same "$(used day)" "$was"
expect "with what she may" same "$(used day_quota)" 2000000
expect "and holds her to it" turned_away still anna 'the quota of this day is used up'
in_file() { grep -q " $was .* - anna\$" "$WORK/quota"; }
soon "the file knows it" in_file
expect "which is nobody else's" same "$(stat -c %a "$WORK/quota")" 600
kill_gateway
soon "the gateway dies" gone "$GATEWAY"
start_it
expect "the next one knows it, too" same "$(used day)" "$was"
expect "she does not come in" turned_away later anna 'the quota of this day is used up'
expect "until the operator resets it" ctl reset quota user anna
expect "then she begins at 0" same "$(used day)" 0
INTERFACE=tun0 login third anna
flood tun0 100
leave third
counted_some() { [ "$(used day)" -gt 200000 ]; }
soon "and is counted" counted_some
was=$(used day)
stop "$GATEWAY"
expect "an orderly stop writes all of it" in_file

add_user carl carl-secret > /dev/null
start_it
date -d '+8 seconds' '+valid-until = %Y-%m-%d %H:%M:%S' > "$WORK/users/carl"
login carl carl
expect "the operator sees until when" matches "$(ctl -j show user carl | jq -r '.[0]."Valid until"')" '^20'
soon "an account expires while it is used" client_gone carl
expect "and says so" client_says carl 'your account has expired'
expect "it does not come back" turned_away expired carl 'reason: the account has expired'
# Midnight may come meanwhile.
date -d '+1 hour' '+valid-until = %Y-%m-%d' > "$WORK/users/carl"
login today carl
expect "today's date is good all day" pings -I tun0 $INSIDE

echo 'quota-month = 300K' > "$WORK/groups/staff"
for user in dora emil; do printf '%s-secret\n' $user | "$BIN/penstock-passwd" -c "$WORK/passwd" -g staff $user > /dev/null; done
INTERFACE=tun4 login dora dora
INTERFACE=tun5 login emil emil
flood tun4 200 || :
soon "a month's quota, by the file of a group, ends a session" client_gone dora
expect "whose user does not come back" turned_away month dora 'the quota of this month is used up'
expect "another one of that group has his own" pings -I tun5 $INSIDE
