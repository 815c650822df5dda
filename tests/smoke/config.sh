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
sed "s,@DIR@,$WORK,g" "$TOP/tests/smoke/data/ocserv-options.conf" > "$CONFIG"
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
