#!/usr/bin/env bash
# The system's own modules: pam_unix and, as the second factor, pam_oath; groups of the system; accounts that may not come in.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── libpam ── a passwd, shadow, group and pam.d of the gateway's namespace only
. "$(dirname "$0")/lib.sh"

network
# ip-netns(8) puts what is there in the place of the files of /etc
ETC=/etc/netns/$SERVER
mkdir -p "$ETC/pam.d"
at_end 'rm -r "$ETC"'
cp /etc/passwd /etc/shadow /etc/group "$ETC"
chmod 600 "$ETC/shadow"
user() { # NAME GID LAST_CHANGE EXPIRES
  echo "$1:x:7000:$2::/:/usr/sbin/nologin" >> "$ETC/passwd"
  echo "$1:$(openssl passwd -6 "$1-secret"):$3:0:99999:7::$4:" >> "$ETC/shadow"
}
printf 'vpnstaff:x:7001:\nvpnextra:x:7002:anna\nvpnold:x:650:anna\n' >> "$ETC/group"
today=$(($(date +%s) / 86400))
user anna 7001 "$today" ''
user past 7001 "$today" 1
user stale 7001 0 ''
cat > "$ETC/pam.d/ocserv" << CONF
auth requisite pam_unix.so nodelay
auth required pam_oath.so usersfile=$WORK/otp window=20 digits=6
account required pam_unix.so
CONF

declare -A secret
for name in anna past stale; do
  secret[$name]=$("$BIN/penstock-passwd" -o "$WORK/otp" --hotp "$name" | sed -n 's/.*[?&]secret=\([A-Z2-7]*\)&.*/\1/p')
done
AUTH='pam[gid-min=1000]' gateway << CONF
auto-select-group = true
default-select-group = any
max-ban-score = 0
CONF

# What openconnect says on its way; the code is its app's of that number.
attempt() { # USER PASSWORD CODE_NUMBER [OPTION...]
  local user=$1 password=$2 n=$3
  shift 3
  : > "$WORK/authenticate.log"
  get_cookie "$user" "$password" --token-mode=hotp --token-secret="base32:${secret[$user]},$n" --authgroup "${GROUP:-any}" "$@"
}
expect "a password and a code let anna in" matches "$(attempt anna anna-secret 0)" '.{40,}'
expect "as pam_oath asked for it" has "$WORK/authenticate.log" 'One-time password \(OATH\)'
expect "the code is used up" same "$(attempt anna anna-secret 0)" ''
expect "with a wrong password nobody is asked for a code" same "$(attempt anna wrong 1)" ''
expect "as nobody has been" never has "$WORK/authenticate.log" 'OATH'

expect "a group of the system" matches "$(GROUP=vpnextra attempt anna anna-secret 1)" '.{40,}'
tls_open
http_post / "$(init_xml)" > "$WORK/form"
tls_close
expect "which the form offers" has "$WORK/form" '<option>vpnextra</option>'
expect "but none below gid-min" never has "$WORK/form" 'vpnold'
expect "nor is one that is said all the same taken" same "$(GROUP=vpnold attempt anna anna-secret 2)" ''
expect "her own group is hers without a choice" same "$(ctl -j show sessions all | jq -r '[.[].Groupname] | sort | join(" ")')" 'vpnextra vpnstaff'

expect "an account of the past lets nobody in" same "$(attempt past past-secret 0)" ''
expect "who hears why" has "$WORK/authenticate.log" 'Your account has expired'
expect "an old password lets nobody in" same "$(attempt stale stale-secret 0)" ''
expect "who hears what to do" has "$WORK/authenticate.log" 'change your password .*This cannot be done here'
expect "but not before he has proven who he is" same "$(attempt stale wrong 1)" ''
expect "to others it is a wrong password" never has "$WORK/authenticate.log" 'change your password'
