#!/usr/bin/env bash
# Logins checked by FreeRADIUS: what it grants arrives, a challenge is put to the user, a server that is silent is passed over, and with all
# of them silent nobody gets in and nothing else suffers.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── 127.0.0.1:1812 first, 127.0.0.1:1822 second
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/freeradius.sh"

radius_users << 'USERS'
anna Cleartext-Password := "anna-secret"
  Class := "OU=admins;staff", Framed-IP-Address := 10.99.0.77, Framed-Route := "10.77.0.0/16 0.0.0.0 1", Framed-Route += 10.99.0.0/24,
  MS-Primary-DNS-Server := 10.77.0.53, RP-Downstream-Speed-Limit := 8000, Session-Timeout := 3600, Idle-Timeout := 1200,
  Framed-IPv6-Address := fd00:99::77, Framed-IPv6-Route := "fd00:77::/32 :: 1", DNS-Server-IPv6-Address := fd00:77::53
bert Cleartext-Password := "bert-secret"
  Class := "OU=guests"
dora Cleartext-Password := "dora-secret"
  Framed-IP-Address := 10.88.0.77, Framed-IP-Netmask := 255.255.255.0, Delegated-IPv6-Prefix := fd00:88:0:100::/56
carl Cleartext-Password := "123456"
eve Cleartext-Password := "eve-secret"
  Framed-Route := "10.0.0.0/8;reboot"
USERS
network
radius_server first 1812
first=$pid
radius_server second 1822
second=$pid
radius_client "$WORK/radius.conf" 1812 1822
AUTH="radius[config=$WORK/radius.conf,groupconfig=true,nas-identifier=smoke]" gateway << CONF
ban-points-wrong-password = 0
ipv6-network = fd00:99::/64
[vhost:plain.example]
auth = "plain[passwd=$WORK/passwd]"
CONF
MAY_LOG='RADIUS|login of'

show() { ctl -j show user "$1" | jq -r ".[0] | .$2 | if type == \"array\" then join(\" \") else . end"; } # USER FIELD
login anna anna
expect "anna gets the address that RADIUS says" same "$(given anna INTERNAL_IP4_ADDRESS)" 10.99.0.77
expect "and that of IPv6" matches "$(given anna INTERNAL_IP6_ADDRESS)$(given anna INTERNAL_IP6_NETMASK)" '^fd00:99::77'
expect "its group" same "$(show anna Groupname)" admins
expect "its routes" same "$(show anna Routes)" '10.77.0.0/16 10.99.0.0/24 fd00:77::/32'
expect "its DNS servers" same "$(show anna DNS)" '10.77.0.53 fd00:77::53'
expect "which her client has heard" matches "$(given anna INTERNAL_IP4_DNS)" '10.77.0.53'
expect "her limit of 8000 kbit/s" same "$(show anna raw_limit_tx)" 1000000
expect "and her packets arrive" pings $INSIDE
for sent in 'User-Name = "anna"' 'NAS-IP-Address = 192.0.2.1' 'NAS-Identifier = "smoke"' 'Calling-Station-Id = "192.0.2.2"' \
  'Acct-Session-Id = "[0-9a-f]{16}"' 'Connect-Info = "Open AnyConnect' 'Service-Type = Authenticate-Only' 'Message-Authenticator = 0x'; do
  expect "RADIUS was told $sent" has "$WORK/first.log" "$sent"
done

INTERFACE=tun1 login dora dora
expect "dora gets an address in a network of its own" same "$(given dora INTERNAL_IP4_ADDRESS)/$(given dora INTERNAL_IP4_NETMASK)" 10.88.0.77/255.255.255.0
expect "and a prefix for what is behind her" same "$(show dora iRoutes) $(show dora IPv6)" 'fd00:88:0:100::/56 fd00:88:0:100::'

expect "a wrong password is one" same "$(get_cookie anna wrong)" ''
expect "an answer with a lie in it lets nobody in" same "$(get_cookie eve eve-secret)" ''
expect "as the log says" has "$WORK/gateway.log" 'login of eve by radius failed: a route is no network'

printf 'anything\n123456\n' | in_ns "$CLIENT" openconnect --passwd-on-stdin --user carl --servercert "$PIN" --authenticate https://192.0.2.1/ \
  > "$WORK/carl.log" 2>&1
expect "carl is asked for the code" has "$WORK/carl.log" 'Code from your phone:'
expect "and let in with it" has "$WORK/carl.log" "^COOKIE='.{40,}'"

kill -STOP "$first"
at_end "kill -CONT $first"
expect "with the first one silent the second is asked" matches "$(get_cookie bert bert-secret)" '.{40,}'
expect "the log names who is silent" has "$WORK/gateway.log" 'RADIUS server 127.0.0.1 \(127.0.0.1:1812\) does not answer'
health() { ctl -j show auth | jq -r --arg n "$1" '.servers[] | select(.name == $n) | '"$2"; } # SERVER FIELD
expect "and so does show auth" never same "$(health 127.0.0.1:1812 .state)" "$(health 127.0.0.1:1822 .state)"
expect "with what it has not answered" more "$(health 127.0.0.1:1812 .timeouts)" 0
expect "the other one has" more "$(health 127.0.0.1:1822 .raw_longest_us)" 0
expect "the second has answered" has "$WORK/second.log" 'User-Name = "bert"'

kill -STOP "$second"
at_end "kill -CONT $second"
begun=$SECONDS
get_cookie bert bert-secret > "$WORK/waiting" &
waiting=$!
expect "with both silent another method lets bert in" matches "$(HOST=plain.example get_cookie bert bert-secret --resolve plain.example:192.0.2.1)" '.{40,}'
expect "while his other login waits" alive "$waiting"
wait "$waiting" || :
expect "which ends after the time that was given" more 8 $((SECONDS - begun))
expect "and nobody is let in" same "$(cat "$WORK/waiting")" ''
expect "as the log says" has "$WORK/gateway.log" 'login of bert by radius failed: no RADIUS server answers'
expect "who is in stays in" pings $INSIDE
kill -CONT "$first" "$second"
soon "and when they are back, logins are" matches "$(get_cookie bert bert-secret)" '.{40,}'

sed -i '1i select-group = staff' "$CONFIG"
expect "the configuration is read again" ctl reload
expect "anna may choose her other group" matches "$(get_cookie anna anna-secret --authgroup staff)" '.{40,}'
expect "which her session has" same "$(ctl -j show sessions all | jq -r 'last(.[] | select(.Username == "anna" and .Groupname == "staff")) | .Groupname')" staff
expect "bert is not in it" same "$(get_cookie bert bert-secret --authgroup staff)" ''
