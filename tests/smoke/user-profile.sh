#!/usr/bin/env bash
# A profile for AnyConnect: told of in the answer to the login, fetched with the cookie, and what the operator has written.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── profile.xml
. "$(dirname "$0")/lib.sh"

network
cat > "$WORK/our.xml" << XML
<?xml version="1.0" encoding="UTF-8"?>
<AnyConnectProfile><ServerList><HostEntry><HostName>smoke</HostName><HostAddress>192.0.2.1</HostAddress></HostEntry></ServerList></AnyConnectProfile>
XML
gateway 192.0.2.1 << CONF
user-profile = $WORK/our.xml
CONF

# openconnect compares its copy with the hash that it is told, and fetches the profile where that is another one.
echo '<old/>' > "$WORK/copy.xml"
expect "anna logs in" matches "$(get_cookie anna anna-secret -vv --xmlconfig "$WORK/copy.xml")" '.{40,}'
expect "openconnect has fetched the profile" has "$WORK/authenticate.log" 'Downloaded new XML profile'
expect "and takes it for the right one" same "$(cat "$WORK/copy.xml")" "$(cat "$WORK/our.xml")"
: > "$WORK/authenticate.log"
expect "she logs in again" matches "$(get_cookie anna anna-secret -vv --xmlconfig "$WORK/copy.xml")" '.{40,}'
expect "what she has is still right" has "$WORK/authenticate.log" 'Not downloading XML profile'

head -c 70000 /dev/zero | tr '\0' x > "$WORK/our.xml"
expect "a file that is too large is refused" never "$BIN/penstockd" -t -c "$CONFIG"
