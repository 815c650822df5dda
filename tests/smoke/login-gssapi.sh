#!/usr/bin/env bash
# Negotiate: a Kerberos ticket opens the door, for openconnect and for curl; without one there is the password. And the ticket itself
# comes through the door (kkdcp) for who cannot reach the KDC.
#
#   client 198.51.100.2 ════ 192.0.2.1 vpn.example: gateway, and beside it the KDC of SMOKE.TEST
. "$(dirname "$0")/lib.sh"
command -v krb5kdc > /dev/null || PATH=$PATH:/usr/sbin

# The files of /etc that this test's namespaces see instead of the machine's.
etc() { # NETNS FILE < CONTENT
  mkdir -p "/etc/netns/$1"
  cat > "/etc/netns/$1/$2"
}

kerberos() {
  at_end 'rm -rf "/etc/netns/$SERVER" "/etc/netns/$CLIENT"'
  cat > "$WORK/krb5.conf" << CONF
[libdefaults]
  default_realm = SMOKE.TEST
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  SMOKE.TEST = {
    kdc = 192.0.2.1
  }
[domain_realm]
  vpn.example = SMOKE.TEST
CONF
  cat > "$WORK/kdc.conf" << CONF
[kdcdefaults]
  kdc_listen = 192.0.2.1:88
  kdc_tcp_listen = 192.0.2.1:88
[realms]
  SMOKE.TEST = {
    database_name = $WORK/principal
    key_stash_file = $WORK/stash
    acl_file = $WORK/acl
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }
CONF
  etc "$SERVER" krb5.conf < "$WORK/krb5.conf"
  etc "$CLIENT" krb5.conf < "$WORK/krb5.conf"
  { cat /etc/passwd; say 'anna:x:54321:54321::/nonexistent:/bin/false'; } | etc "$SERVER" passwd
  { cat /etc/group; say 'smokers:x:54321:'; say 'dancers:x:54322:anna'; } | etc "$SERVER" group
  say '192.0.2.1 vpn.example' | etc "$CLIENT" hosts
  say '192.0.2.1 kdc.example' | etc "$SERVER" hosts
  export KRB5_KDC_PROFILE=$WORK/kdc.conf
  in_ns "$SERVER" kdb5_util create -s -P master-secret -r SMOKE.TEST > /dev/null 2>> "$WORK/kdb.log"
  kadmin "addprinc -pw anna-secret anna" "addprinc -pw bert-secret bert" "addprinc -randkey HTTP/vpn.example" \
    "ktadd -k $WORK/keytab HTTP/vpn.example"
  start kdc ip netns exec "$SERVER" krb5kdc -n -P "$WORK/kdc.pid"
  wait_for 10 listens "$SERVER" 88 || fail "the KDC starts"
}
kadmin() { local q; for q in "$@"; do in_ns "$SERVER" kadmin.local -r SMOKE.TEST -q "$q" >> "$WORK/kdb.log" 2>&1; done; }

# A ticket in the client's namespace, as a user's own.
ticket() { printf '%s\n' "$1-secret" | KRB5CCNAME=$WORK/$1.cc in_ns "$CLIENT" kinit "$1" > /dev/null; } # USER
opens() { # TICKET [OPTION...]: the cookie, or nothing
  local user=$1
  shift
  KRB5CCNAME=$WORK/$user.cc in_ns "$CLIENT" openconnect --servercert "$PIN" --non-inter --authenticate "$@" \
    https://vpn.example/ 2>> "$WORK/authenticate.log" < /dev/null | sed -n "s/^COOKIE='\(.*\)'/\1/p"
}
come() { # TICKET: with a tunnel
  KRB5CCNAME=$WORK/$1.cc start "$1" ip netns exec "$CLIENT" openconnect --servercert "$PIN" --non-inter \
    --script "$TOP/scripts/client-network" https://vpn.example/
  client[$1]=$pid
}
why() { grep 'Negotiate refused' "$WORK/gateway.log" | tail -n 1; }

with() { # WAY [MORE...]: the gateway lets in so, and by no password
  AUTH=$1 configure 192.0.2.1 <<< 'max-ban-score = 0'
  ctl reload > /dev/null
}
shows() { # TICKET [OPTION of curl...]: the headers of what curl gets
  local user=$1
  shift
  KRB5CCNAME=$WORK/$user.cc in_ns "$CLIENT" curl -sk -o /dev/null -D - -m 10 "$@" https://vpn.example/
}

network
client_from_afar "$CLIENT" 2
kerberos
gateway 192.0.2.1 << CONF
enable-auth = "gssapi[keytab=$WORK/keytab]"
max-ban-score = 0
CONF

expect "without a ticket there is the password" matches "$(HOST=vpn.example KRB5CCNAME=$WORK/none get_cookie anna anna-secret)" '.{40,}'
expect "anna gets a ticket" ticket anna
come anna
soon "and a session by it" user_has anna Username '^anna$'
expect "with the group that the system knows" user_has anna Groupname '^smokers$'

# curl knows neither forms nor cookies of ours: it negotiates, and wants to be sure of the server.
expect "who does not ask for it is shown the form" matches "$(shows anna)" '200 OK'
expect "who does is asked for a ticket, and told that there are forms" matches "$(shows none -H 'X-Support-HTTP-Auth: true')" \
  '401 .*X-HTTP-Auth-Support: fallback.*WWW-Authenticate: Negotiate'
with "gssapi[keytab=$WORK/keytab]"
expect "where there is no form, everybody is asked" matches "$(shows none)" '401 .*WWW-Authenticate: Negotiate'
expect "and not told of any" never matches "$(shows none)" 'fallback'
expect "curl gets in, and the server's proof" matches "$(shows anna --negotiate -u :)" '200 OK.*Set-Cookie: webvpn=.{40,}WWW-Authenticate: Negotiate .{20,}'
expect "what is no ticket opens nothing" never matches "$(shows none -H 'Authorization: Negotiate YIGZBgYrBgEFBQKggY4=')" '200'
expect "what is no base64 is a bad request" matches "$(shows none -H 'Authorization: Negotiate ???')" '400'

# Who is anybody here?
ticket bert
expect "bert is no user of this system" same "$(opens bert)" ''
expect "so says the log" matches "$(why)" 'no such user.*require-local-user-map'
with "gssapi[keytab=$WORK/keytab,require-local-user-map=false,gid-min=60000]"
expect "he need not be" matches "$(opens bert)" '.{40,}'
leave anna
come anna
soon "anna is in a group below gid-min, and that does not count" user_has anna Groupname '^\(none\)$'
with "gssapi[keytab=$WORK/keytab,tgt-freshness-time=2]"
sleep_until_old() { [ $(($(date +%s) - born_at)) -gt 3 ]; }
born_at=$(stat -c %Y "$WORK/anna.cc")
wait_for 10 sleep_until_old
expect "an old ticket is none" same "$(opens anna)" ''
expect "so says the log" matches "$(why)" 'too old.*tgt-freshness-time'
ticket anna
expect "a fresh one is" matches "$(opens anna)" '.{40,}'

# bert cannot reach the KDC, but the gateway.
by_proxy() { # PATH COMMAND...
  sed "s,kdc = .*,kdc = https://vpn.example$1\n    http_anchors = FILE:$WORK/cert.pem," "$WORK/krb5.conf" > "$WORK/proxied.conf"
  shift
  KRB5_CONFIG=$WORK/proxied.conf "$@"
}
in_ns "$SERVER" nft "add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in ip saddr 198.51.100.2 th dport 88 drop"
configure 192.0.2.1 << CONF
enable-auth = "gssapi[keytab=$WORK/keytab,require-local-user-map=false]"
kkdcp = "/KdcProxy SMOKE.TEST udp@192.0.2.1:88"
kkdcp = "/KdcProxyTCP SMOKE.TEST tcp@kdc.example:88"
kkdcp = "/Elsewhere ELSEWHERE.TEST tcp@192.0.2.1:88"
kkdcp = "/Nobody SMOKE.TEST tcp@192.0.2.1:89"
max-ban-score = 100
ban-points-connection = 0
ban-points-kkdcp = 10
CONF
ctl reload > /dev/null
expect "by the proxy he gets his ticket, over UDP" by_proxy /KdcProxy ticket bert
expect "and over TCP, of a KDC that is named" by_proxy /KdcProxyTCP ticket bert
expect "but none of a realm that is not there" never by_proxy /Elsewhere ticket bert
expect "nor where no KDC is" never by_proxy /Nobody ticket bert
expect "the ticket opens the door" matches "$(by_proxy /KdcProxy opens bert)" '.{40,}'
expect "what is no question to a KDC is a bad request" matches "$(in_ns "$CLIENT" curl -sk -w '%{http_code}' -d nonsense https://vpn.example/KdcProxy)" '400$'

rm "$WORK/keytab"
expect "without its keytab the gateway lets nobody in" same "$(opens anna)" ''

asks_again() { by_proxy /KdcProxy ticket bert > /dev/null 2>&1 || :; banned 198.51.100.2; }
soon "who asks the KDC again and again is banned" asks_again
