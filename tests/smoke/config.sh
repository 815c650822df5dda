#!/usr/bin/env bash
# penstockd -t: what it says about good, bad and foreign configurations. No network is needed.
. "$(dirname "$0")/lib.sh"

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
expect "a number that is none" line_says 'dpd = soon' 'dpd'
expect "a number out of range" line_says 'udp-port = 70000' 'udp-port'
expect "a line without =" line_says 'nonsense' '.'
expect "a network that is none" line_says 'ipv6-network = fd00::/200' 'ipv6-network'
expect "a removed option" line_says 'listen-clear-file = /x' 'listen-clear-file'
sed -i '/^server-key/d' "$CONFIG"
expect "a missing key is missed" matches "$(check || :)" 'server-key'
rm "$CONFIG"
expect "a missing file is named" matches "$(check || :)" "$CONFIG"

# Every documented option of ocserv is known: supported, or accepted with a warning.
CONFIG=$WORK/ocserv.conf
sed "s,@DIR@,$WORK,g" "$TOP/tests/smoke/data/ocserv-options.conf" > "$CONFIG"
mkdir -p "$WORK/config-per-user" "$WORK/config-per-group"
touch "$WORK/empty"
expect "ocserv's documented options pass" check
expect "none of them is unknown" never matches "$(check)" '[Uu]nknown'
