#!/usr/bin/env bash
# penstockd -t: what it says about good, bad and foreign configurations. No network is needed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/pki.sh"

make_certificate
add_user anna anna-secret > /dev/null
write_config 192.0.2.1 < /dev/null

check() { "$BIN/penstockd" -t -c "$CONFIG" 2>&1; }
# Append a line and look for words about it.
line_says() { # LINE REGEX
  local said number
  cp "$CONFIG" "$WORK/kept"
  printf '%s\n' "$1" >> "$CONFIG"
  number=$(wc -l < "$CONFIG")
  if said=$(check); then said="accepted: $said"; fi
  cp "$WORK/kept" "$CONFIG"
  matches "$said" "$CONFIG:$number:.*$2"
}

expect "a good one passes" check
expect "an unknown option is an error that names its neighbour" line_says 'cookie-timeuot = 3' 'cookie-timeout'
expect "an address that is none" line_says 'listen-host = 192.0.2.256' 'listen-host.*no IPv4 address'
expect "a number that is none" line_says 'dpd = soon' 'dpd'
expect "a number out of range" line_says 'udp-port = 70000' 'udp-port'
expect "a line without =" line_says 'nonsense' '.'
expect "a network that is none" line_says 'ipv6-network = fd00::/200' 'ipv6-network'
expect "a removed option" line_says 'listen-clear-file = /x' 'listen-clear-file'

# What sec-mod finds has a line too, in the section where it stands.
expect "a method's option" line_says 'enable-auth = pam[gid-min=x]' 'enable-auth: pam\[gid-min=x\]: option gid-min=x is not supported'
expect "that of a virtual host" line_says "[vhost:a.example]
auth = pam[gid-min=y]" 'auth: pam\[gid-min=y\]: option gid-min=y is not supported'
expect "a name that no certificate has" line_says "enable-auth = certificate
ca-cert = $WORK/cert.pem
cert-user-oid = somebody" 'cert-user-oid: somebody: neither an OID'

# All of it at once, whoever finds it: main, what keys and certificates hold, and the files of users.
mkdir -p "$WORK/users" && echo 'routes = default' > "$WORK/users/anna"
echo rubbish > "$WORK/rubbish.pem"
cp "$CONFIG" "$WORK/kept"
cat >> "$CONFIG" << MORE
dpd = soon
config-per-user = $WORK/users
[vhost:a.example]
server-cert = $WORK/rubbish.pem
server-key = $WORK/key.pem
auth = pam[gid-min=x]
[vhost:b.example]
server-cert = $WORK/cert.pem
server-key = $WORK/rubbish.pem
MORE
said=$(check || :)
for words in "dpd: 'soon' is not a whole number" "users/anna:1: routes: .*did you mean route" "server-cert: $WORK/rubbish.pem" \
  'auth: pam\[gid-min=x\]: option' "server-key: $WORK/rubbish.pem" '.5 errors'; do
  expect "of five mistakes: ${words##*/}" matches "$said" "$words"
done
cp "$WORK/kept" "$CONFIG"
expect "a host that nobody knows" line_says 'listen-host = nowhere.invalid' 'listen-host: nowhere.invalid: '
expect "a file with a slip in its name" line_says "crl = $WORK/cret.pem" 'crl: .*did you mean cert.pem'

# What sec-mod and the nursery only warn of is told and counted.
warned() { # LINE REGEX
  local said
  cp "$CONFIG" "$WORK/kept"
  printf '%s\n' "$1" >> "$CONFIG"
  said=$(check) || said="refused: $said"
  cp "$WORK/kept" "$CONFIG"
  matches "$said" "warning: $CONFIG:$(($(wc -l < "$CONFIG") + 1)): $2.*good .1 warning\)"
}
echo rubbish > "$WORK/response"
expect "an OCSP response that is none" warned "ocsp-response = $WORK/response" "ocsp-response: $WORK/response: .*clients do not get it"
expect "or that is not there" warned "ocsp-response = $WORK/nowhere" "ocsp-response: $WORK/nowhere: No such file"
echo '192.0.2.2 secret' > "$WORK/orders"
chmod 644 "$WORK/orders"
expect "secrets that everybody may read" warned "coa-clients = $WORK/orders
coa-listen = 192.0.2.1" "coa-clients: $WORK/orders: others than its owner"

# What stands in the files, with option and line.
line_of() { grep -n "^$1" "$CONFIG" | cut -d: -f1; } # OPTION
file_says() { # FILE OPTION REGEX
  local said
  if said=$(check); then said="accepted: $said"; fi
  matches "$said" "error: $CONFIG:$(line_of "$2"): $2: $1[: ].*$3"
}
cp "$WORK/cert.pem" "$WORK/good-cert.pem"
cp "$WORK/key.pem" "$WORK/good-key.pem"
echo rubbish > "$WORK/cert.pem"
expect "a certificate that is none" file_says "$WORK/cert.pem" server-cert 'no PEM certificate'
{ cat "$WORK/good-cert.pem"; sed 's/^M..../MIIBB/' "$WORK/good-cert.pem"; } > "$WORK/cert.pem"
expect "a chain with a broken link" file_says "$WORK/cert.pem" server-cert '.'
cp "$WORK/good-cert.pem" "$WORK/cert.pem"
echo rubbish > "$WORK/key.pem"
expect "a key that is none" file_says "$WORK/key.pem" server-key 'no PEM private key'
openssl genpkey -algorithm ed25519 -out "$WORK/key.pem" 2>> "$WORK/openssl.log"
expect "a key of another certificate" file_says "$WORK/key.pem" server-key "does not belong to server-cert $WORK/cert.pem"
cp "$WORK/good-key.pem" "$WORK/key.pem"
expect "and the good ones pass again" check
not_root() { setpriv --reuid nobody --regid nogroup --clear-groups "$BIN/penstockd" -t -c "$CONFIG"; }
chmod 644 "$WORK/key.pem" "$WORK/passwd"
expect "also for somebody who is not root" not_root

sed -i '/^server-key/d' "$CONFIG"
expect "a missing key is missed" matches "$(check || :)" 'server-key'
rm "$CONFIG"
expect "a missing file is named" matches "$(check || :)" "$CONFIG"

# Every documented option of ocserv is known: supported, or accepted with a warning.
CONFIG=$WORK/ocserv.conf
add_netns "$NAME-outside"
sed "s,@DIR@,$WORK,g; s,^listen-netns = .*,listen-netns = $NAME-outside," "$TOP/tests/smoke/data/ocserv-options.conf" > "$CONFIG"
mkdir -p "$WORK/config-per-user" "$WORK/config-per-group"
make_authority authority
touch "$WORK/empty"
cat > "$WORK/radiusclient.conf" << RADCLI
dictionary /etc/radcli/dictionary
authserver 192.0.2.8::secret
acctserver 192.0.2.8::secret
radius_timeout 2
radius_retries 1
RADCLI
expect "ocserv's documented options pass" check
expect "none of them is unknown" never matches "$(check)" '[Uu]nknown'
