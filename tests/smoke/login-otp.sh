#!/usr/bin/env bash
# A one-time password behind the password: penstock-passwd enrols, openconnect makes the codes as an app would, each is good once.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── passwd, otp
. "$(dirname "$0")/lib.sh"

network
make_certificate
for user in anna bert carl; do add_user "$user" "$user-secret" > /dev/null; done
enrol() { "$BIN/penstock-passwd" -o "$WORK/otp" "$@" | sed -n 's/.*[?&]secret=\([A-Z2-7]*\)&.*/\1/p'; }
anna=$(enrol anna) bert=$(enrol --hotp bert)
chmod 640 "$WORK/otp"
AUTH="plain[passwd=$WORK/passwd,otp=$WORK/otp]" gateway << CONF
max-ban-score = 0
CONF

with_app() { get_cookie "$1" "$2" --token-mode="$3" --token-secret="base32:$4"; } # USER PASSWORD totp|hotp SECRET[,COUNTER]
expect "the app's code lets anna in" matches "$(with_app anna anna-secret totp "$anna")" '.{40,}'
expect "once" same "$(with_app anna anna-secret totp "$anna")" ''
expect "bert's app counts" matches "$(with_app bert bert-secret hotp "$bert,0")" '.{40,}'
expect "and has counted on" matches "$(with_app bert bert-secret hotp "$bert,5")" '.{40,}'
expect "but not back" same "$(with_app bert bert-secret hotp "$bert,3")" ''
expect "nor further than a window" same "$(with_app bert bert-secret hotp "$bert,60")" ''
expect "with a wrong password no code helps" same "$(with_app bert wrong hotp "$bert,6")" ''
expect "nor does anybody else's" same "$(with_app carl carl-secret hotp "$bert,6")" ''
expect "his next one does" matches "$(with_app bert bert-secret hotp "$bert,6")" '.{40,}'

# While the gateway writes its counters penstock-passwd writes too, and neither loses what the other has written.
many() { for i in {1..20}; do enrol "user$i" > /dev/null; done; }
many &
for i in {7..14}; do with_app bert bert-secret hotp "$bert,$i" > "$WORK/cookie.$i"; done
wait $!
expect "every login has worked meanwhile" same "$(find "$WORK" -name 'cookie.*' -size +0 | wc -l)" 8
expect "every user has been enrolled" same "$(grep -c '^HOTP/T30.user' "$WORK/otp")" 20
expect "the file is as the operator made it" same "$(stat -c %a "$WORK/otp")" 640
expect "no code of before is good" same "$(with_app bert bert-secret hotp "$bert,14")" ''
"$BIN/penstock-passwd" -o "$WORK/otp" -d bert
expect "without a secret no code is right" same "$(with_app bert bert-secret hotp "$bert,15")" ''
