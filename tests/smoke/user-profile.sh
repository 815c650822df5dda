#!/usr/bin/env bash
# A profile for AnyConnect: told of in the answer to the login, fetched with the cookie, and what the operator has written.
# A user or a group may have another one.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── our.xml, users/bert ── users/bert.xml
. "$(dirname "$0")/lib.sh"

network
cat > "$WORK/our.xml" << XML
<?xml version="1.0" encoding="UTF-8"?>
<AnyConnectProfile><ServerList><HostEntry><HostName>smoke</HostName><HostAddress>192.0.2.1</HostAddress></HostEntry></ServerList></AnyConnectProfile>
XML
mkdir "$WORK/users"
echo 'user-profile = bert.xml' > "$WORK/users/bert"
echo '<AnyConnectProfile>of bert</AnyConnectProfile>' > "$WORK/users/bert.xml"
gateway 192.0.2.1 << CONF
user-profile = $WORK/our.xml
config-per-user = $WORK/users
CONF

# openconnect compares its copy with the hash that it is told, and fetches the profile where that is another one.
echo '<old/>' > "$WORK/copy.xml"
expect "anna logs in" matches "$(get_cookie anna anna-secret -vv --xmlconfig "$WORK/copy.xml")" '.{40,}'
expect "openconnect has fetched the profile" has "$WORK/authenticate.log" 'Downloaded new XML profile'
expect "and takes it for the right one" same "$(cat "$WORK/copy.xml")" "$(cat "$WORK/our.xml")"
: > "$WORK/authenticate.log"
expect "she logs in again" matches "$(get_cookie anna anna-secret -vv --xmlconfig "$WORK/copy.xml")" '.{40,}'
expect "what she has is still right" has "$WORK/authenticate.log" 'Not downloading XML profile'

echo '<old/>' > "$WORK/berts.xml"
bert() { get_cookie bert bert-secret -vv --xmlconfig "$WORK/berts.xml"; }
expect "bert logs in" matches "$(bert)" '.{40,}'
expect "he has his own" same "$(cat "$WORK/berts.xml")" "$(cat "$WORK/users/bert.xml")"
echo '<AnyConnectProfile>the next</AnyConnectProfile>' > "$WORK/users/bert.xml"
expect "he logs in again" matches "$(bert)" '.{40,}'
expect "a change needs no reload" same "$(cat "$WORK/berts.xml")" "$(cat "$WORK/users/bert.xml")"
rm "$WORK/users/bert.xml"
expect "he logs in without one" matches "$(bert)" '.{40,}'
expect "and gets everybody's" same "$(cat "$WORK/berts.xml")" "$(cat "$WORK/our.xml")"
expect "as the log says" has "$WORK/gateway.log" 'bert.xml: No such file'

# AnyConnect fetches it on a connection of its own.
fetch() { in_ns "${2:-$CLIENT}" curl -sk -w '%{http_code}' --max-time 10 -H "Cookie: $1" https://192.0.2.1/profiles/any.xml; } # COOKIE [NETNS]
echo '<AnyConnectProfile>of bert</AnyConnectProfile>' > "$WORK/users/bert.xml"
expect "with bert's cookie there is his" same "$(fetch "$(bert)")" "$(cat "$WORK/users/bert.xml")
200"
cookie=$(get_cookie anna anna-secret)
expect "with anna's everybody's" same "$(fetch "$cookie")" "$(cat "$WORK/our.xml")
200"
login_with_cookie tunnel "$cookie"
expect "and it still opens her session" user_has anna Username anna
expect "as it does while that is up" matches "$(fetch "$cookie")" '200$'
expect "without a cookie there is none" matches "$(fetch "webvpn=")" '401$'
expect "nor with another" matches "$(fetch "webvpn=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")" '401$'
expect "nor from elsewhere" matches "$(in_ns "$SERVER" curl -sk -w '%{http_code}' -H "Cookie: $cookie" https://192.0.2.1/profiles/any.xml)" '401$'
leave tunnel

head -c 70000 /dev/zero | tr '\0' x > "$WORK/our.xml"
expect "a file that is too large is refused" never "$BIN/penstockd" -t -c "$CONFIG"
