#!/usr/bin/env bash
# Somebody sets the wall clock under a running gateway: an hour and ten years, ahead and back. What lasts so and so long lasts so long:
# sessions, cookies, bans, what is accounted. What has a date goes by the wall: certificates, one-time passwords, accounts, days.
#
#   anna ══ DTLS ══╮                                       ╭ FreeRADIUS takes accounts
#   bert ══ CSTP ══╪ 192.0.2.1 gateway, N seconds wrong ───┤
#   dora, logins ══╯                                       ╰ coa-listen
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/freeradius.sh"
. "$(dirname "$0")/data/pki.sh"
HOUR=3600 YEARS=315360000 pinging=() wrong=0
[ -z "${SANITIZED-}" ] || skip "the sanitizers want to be the first library"
MAY_LOG='sec-mod \(pid [0-9]+\) died of signal 9'

# Every program but penstockctl has a clock that is wrong by as much as the file says.
LIBRARY=$BUILD/unit/clock_fault.so BUILT=$BIN BIN=$WORK/bin FAULT=$WORK/wrong-by
set_clock() { perl -e 'print pack("q", $ARGV[0])' -- "$1" > "$WORK/seconds" && dd if="$WORK/seconds" of="$FAULT" conv=notrunc status=none; } # SECONDS
mkdir "$BIN"
ln -s "$BUILT"/penstock* "$BIN"
for p in secmod worker dataplane; do
  rm "$BIN/penstock-$p"
  printf '#!/bin/sh\nCLOCK_FAULT=%s LD_PRELOAD=%s exec %s "$@"\n' "$FAULT" "$LIBRARY" "$BUILT/penstock-$p" > "$BIN/penstock-$p"
  chmod 755 "$BIN/penstock-$p"
done
rm "$BIN/penstockd"
cp "$BUILT/penstockd" "$BIN"
set_clock 0
chmod 644 "$FAULT"

network
for user in anna bert dora; do add_user $user $user-secret > /dev/null; done
secret=$("$BIN/penstock-passwd" -o "$WORK/otp" carl | sed -n 's/.*[?&]secret=\([A-Z2-7]*\)&.*/\1/p')
add_user carl carl-secret > /dev/null
make_authority acme
make_client acme emil /UID=emil
radius_users < /dev/null
radius_server server 1812
radius_client "$WORK/radius.conf" 1812
printf '192.0.2.2 of-the-server\n' > "$WORK/clients"
chmod 600 "$WORK/clients"
mkdir "$WORK/users"
printf 'quota-day = 1G\nvalid-until = %s\n' "$(date -d '+1 year' +%Y-%m-%d)" > "$WORK/users/dora"
make_certificate
configure 192.0.2.1 << CONF
acct = "radius[config=$WORK/radius.conf]"
stats-report-time = 1
coa-listen = 192.0.2.1
coa-clients = $WORK/clients
config-per-user = $WORK/users
quota-file = $WORK/quota
session-timeout = 36000
idle-timeout = 1800
rekey-time = 1800
cookie-timeout = 900
dpd = 2
max-ban-score = 40
ban-points-wrong-password = 50
ban-exempt = 192.0.2.2
[vhost:otp.example]
auth = "plain[passwd=$WORK/passwd,otp=$WORK/otp]"
server-cert = $WORK/cert.pem
server-key = $WORK/key.pem
[vhost:certificate.example]
auth = certificate
$(certificates acme)
server-cert = $WORK/cert.pem
server-key = $WORK/key.pem
CONF
start gateway ip netns exec "$SERVER" env CLOCK_FAULT="$FAULT" LD_PRELOAD="$LIBRARY" "$BIN/penstockd" -f -c "$CONFIG"
GATEWAY=$pid
wait_for 30 gateway_settled
expect "the gateway starts" gateway_online

# ------------------------------------------------------------------------------------------------------- what lasts so long

order() { # EVENT_TIMESTAMP; a disconnect for nobody would do, but so it is answered with an ACK
  say "User-Name = bert, Session-Timeout = 36000, Event-Timestamp = $1" | in_ns "$CLIENT" radclient -x -r 1 -t 0.3 192.0.2.1:3799 coa of-the-server 2>&1
}
sessions_of() { user_field "$1" ID | wc -l; } # USER
field() { ctl -j show user "$1" | jq -r --arg k "$2" '.[0][$k] // empty'; } # USER KEY
last() { radius_detail server "$@" | tail -n 1; }                          # STATUS ATTRIBUTE
counted_on() { [ "$(radius_detail server Interim-Update Acct-Session-Time | wc -l)" -gt "$1" ]; }
seconds_ago() { say $(($(date +%s) + wrong - $1)); } # MOMENT, by the gateway's clock
# Before the last answer: what is on its way when ping ends is nobody's loss.
lost() { awk -F 'icmp_seq=' '/icmp_seq/ { n++; if ($2 + 0 > last) last = $2 + 0 } END { print last - n }' "$WORK/ping-$1.log"; } # USER
good() { matches "$1" '.{40,}'; }
bad() { same "$1" ''; }

login anna anna
INTERFACE=tun1 login bert bert --no-dtls
soon "anna is on DTLS" client_on_dtls anna
cookie=$(get_cookie anna anna-secret)
ip -n "$CLIENT" addr add 192.0.2.99/24 dev eth0
from() { ip -n "$CLIENT" route replace 192.0.2.1 dev eth0 src "$1"; } # ADDRESS
from 192.0.2.99
expect "somebody guesses" bad "$(get_cookie anna wrong)"
soon "and is banned" banned 192.0.2.99
from 192.0.2.2
for who in anna:tun0 bert:tun1; do
  start "ping-${who%:*}" ip netns exec "$CLIENT" ping -i 0.02 -I "${who#*:}" $INSIDE
  pinging[${#pinging[@]}]=$pid
done

for wrong in $HOUR -$HOUR $YEARS -$YEARS; do
  set_clock "$wrong"
  records=$(radius_detail server Interim-Update Acct-Session-Time | wc -l)
  expect "the clock is $wrong s wrong: a login works" good "$(get_cookie anna anna-secret)"
  expect "by CoA, what is of this time is served" matches "$(order $(($(date +%s) + wrong)))" '-ACK Id'
  [ "$wrong" != $HOUR ] || expect "and nothing else" matches "$(order $(($(date +%s) + wrong + 1800)))" 'No reply from server'
  soon "accounts are told as before" counted_on $((records + 1))
  expect "of as many seconds as have passed" more 60 "$(last Interim-Update Acct-Session-Time)"
  expect "and were not late" more 5 "$(last Interim-Update Acct-Delay-Time)"
  expect "who is banned stays so" banned 192.0.2.99
  expect "for as long as before" matches "$(ctl -j show ip bans | jq -r '.[0]._Expires')" '^([0-9]|1[0-9])m'
  expect "the operator sees since when anna is here" more 60 "$(seconds_ago "$(field anna raw_session_started_at)")"
done

# Also over an exchange of main, and a death of sec-mod, which reads what it knows from the disk.
set_clock $YEARS
expect "ten years pass; another penstockd takes over" ctl upgrade
set_clock -$HOUR
kill -KILL "$(pid_of 'Sec-mod PID')"
soon "sec-mod dies, and is started anew" has "$WORK/gateway.log" 'has the records of'
soon "everything is there" gateway_online
soon "the log says that the clock was set" has "$WORK/gateway.log" 'clock of this machine was set back by 315363600 s'
expect "nobody was disconnected" never has "$WORK/gateway.log" 'disconnected|not allowed|expired'
for pid in "${pinging[@]}"; do kill -INT "$pid"; wait_for 5 gone "$pid"; done
expect "anna has lost no packet" same "$(lost anna)" 0
expect "nor has bert" same "$(lost bert)" 0
expect "they were pinged all the time" more "$(grep -c icmp_seq "$WORK/ping-bert.log")" 100
expect "a new client was not needed" same "$(grep -c 'CSTP connected' "$WORK/anna.log")" 1
INTERFACE=tun3 login_with_cookie again "$cookie"
expect "a cookie of the beginning is good" client_up again
expect "for what is left of its time" client_says again 'Session-Timeout-Remaining: (36000|359[0-9]{2})'
leave again

# ------------------------------------------------------------------------------------------------------- what has a date

with_app() { # SECONDS: by which the app's clock is wrong, too
  printf 'carl-secret\n' | in_ns "$CLIENT" env LD_PRELOAD="$LIBRARY" CLOCK_FAULT="$WORK/app" openconnect --passwd-on-stdin --user carl --servercert "$PIN" \
    --non-inter --authenticate --token-mode=totp --token-secret="base32:$secret" --resolve otp.example:192.0.2.1 https://otp.example/ 2>> "$WORK/authenticate.log" |
    sed -n "s/^COOKIE='\(.*\)'/\1/p"
}
app_is() { perl -e 'print pack("q", $ARGV[0])' -- "$1" > "$WORK/app"; } # SECONDS
with_certificate() { HOST=certificate.example get_cookie emil x --resolve certificate.example:192.0.2.1 $(shows emil); }

set_clock $HOUR
app_is 0
expect "an hour ahead, a code of today is old" bad "$(with_app)"
app_is $HOUR
expect "and one of that hour is good" good "$(with_app)"
expect "a certificate of a month is good" good "$(with_certificate)"
set_clock $YEARS
expect "in ten years it is not" bad "$(with_certificate)"
soon "it has expired" has "$WORK/gateway.log" 'is refused: .*has expired'
set_clock -$YEARS
expect "nor was it ten years ago" bad "$(with_certificate)"
soon "it was to come" has "$WORK/gateway.log" 'is refused: .*not yet valid'
set_clock 0
expect "now it is" good "$(with_certificate)"

INTERFACE=tun2 login dora dora --no-dtls
expect "dora uses something of her day" pings -I tun2 -s 1000 $INSIDE
used() { ctl -j show quota user dora | jq -r '.[0].raw_day'; }
soon "which is counted" eval 'more "$(used)" 6000'
set_clock 86400
expect "another day is another day" pings -I tun2 -s 1000 -c 1 $INSIDE
soon "and begins at nothing" eval 'more 3000 "$(used)" && more "$(used)" 0'
set_clock $YEARS
start dora-ping ip netns exec "$CLIENT" ping -I tun2 -i 0.2 $INSIDE
soon "in ten years her account is over, and she is told" client_says dora 'your account has expired'
set_clock 0
INTERFACE=tun2 login now dora --no-dtls
expect "but today she has one" client_up now
expect "anna and bert are still there" same "$(sessions_of anna) $(sessions_of bert)" "1 1"
