#!/usr/bin/env bash
# Every URL that there is, by every method, with every cookie that is none, not yet, no more, or not theirs: who has no good one is told
# what a stranger is told, to the byte. And whose cookie is good when: a new one for each login, none after a logout or the operator's word.
#
#   carl 192.0.2.3 ═╮
#   anna 192.0.2.2 ═╧═ 192.0.2.1 vpn.example  deny-roaming, a profile for each user
#                                lab.example  another virtual host, cookie-timeout = 1
. "$(dirname "$0")/lib.sh"

network
ip -n "$CLIENT" addr add 192.0.2.3/24 dev eth0
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab.example -keyout "$WORK/lab.key" \
  -out "$WORK/lab.pem" 2>> "$WORK/openssl.log"
echo '<AnyConnectProfile>a secret</AnyConnectProfile>' > "$WORK/our.xml"
gateway 192.0.2.1 << CONF
user-profile = $WORK/our.xml
deny-roaming = true
cisco-svc-client-compat = true
max-ban-score = 0
[vhost:lab.example]
server-cert = $WORK/lab.pem
server-key = $WORK/lab.key
cookie-timeout = 1
CONF
at_lab() { PIN=$(pin_of "$WORK/lab.pem") HOST=lab.example "$@" --resolve lab.example:192.0.2.1; }

sed -n 's/^ENDPOINT("\([^"]*\)".*/\1/p' "$TOP/control/worker/endpoint.def" > "$WORK/paths"
printf '%s\n' /profiles/our.xml /profiles/../../etc/passwd /profiles/%2e%2e/our.xml /nowhere >> "$WORK/paths"
expect "the table has paths" more "$(wc -l < "$WORK/paths")" 20

# What all of them answer to a cookie, as one text: but for the time, and for whom a form is.
ask_all() { # COOKIE [FROM]
  local cookie=$1 from=${2:-192.0.2.2} method path
  for method in GET HEAD POST PUT CONNECT; do
    while read -r path; do
      printf 'url = "https://vpn.example/"\nrequest-target = "%s"\n%s\n' "$path" \
        "$([ $method = HEAD ] && echo head || echo "request = $method")"
      [ $method != POST ] || echo 'data = ""'
      printf '%s\n' insecure include silent 'max-time = 10' 'resolve = "vpn.example:443:192.0.2.1"' 'header = "Connection: close"' \
        "interface = $from" "header = \"Cookie: $cookie\"" "write-out = \"\\n--- $method $path\\n\"" next
    done < "$WORK/paths"
  done > "$WORK/curlrc"
  sed -i '$d' "$WORK/curlrc"
  in_ns "$CLIENT" curl -K "$WORK/curlrc" | tr -d '\r' | grep -v '^Date: '
}
plain() { printf '%s' "$1" | sed 's/.*webvpn=\([^;]*\).*/webvpn=\1/'; } # COOKIE, as openconnect prints it
denied() { # COOKIE [FROM]
  ask_all "$@" > "$WORK/other"
  diff "$WORK/stranger" "$WORK/other"
}

ask_all "webvpn=$(head -c 32 /dev/urandom | base64)" > "$WORK/stranger"
expect "all have answered" same "$(grep -c '^--- ' "$WORK/stranger")" "$((5 * $(wc -l < "$WORK/paths")))"
expect "a stranger is given no cookie" lacks "$WORK/stranger" 'webvpn=[A-Za-z0-9+/]'
expect "nor a profile" lacks "$WORK/stranger" 'a secret'
expect "the tunnel least of all" same "$(grep -c "^HTTP/1.1 401" "$WORK/stranger")" 5 # beside those below /profiles
ask_all 'a=b' | sed 's/503 Service Unavailable/401 Unauthorized/g; s/^Content-Length: 126/Content-Length: 112/' > "$WORK/other"
expect "without a cookie there is as little" diff "$WORK/stranger" "$WORK/other"
for bad in webvpn= webvpn=short "webvpn=${COOKIE_OF_ZEROS=$(head -c 32 /dev/zero | base64)}; webvpn=$COOKIE_OF_ZEROS" 'webvpn=../../../etc/passwd'; do
  ask_all "$bad" | sed 's/400 Bad Request/401 Unauthorized/g; s/^Content-Length: 110/Content-Length: 112/' > "$WORK/other"
  expect "nor with ${bad:0:24}" diff "$WORK/stranger" "$WORK/other"
done

anna=$(plain "$(get_cookie anna anna-secret)")
another=$(plain "$(get_cookie anna anna-secret)")
expect "a login has a cookie of 256 bits" same "$(echo "${anna#webvpn=}" | base64 -d | wc -c)" 32
expect "and each its own" differ "$anna" "$another"
expect "anna's is none for carl" denied "$anna" 192.0.2.3
of_lab() { in_ns "$CLIENT" curl -sk --max-time 10 -o /dev/null -w '%{http_code}' --resolve lab.example:443:192.0.2.1 -H "Cookie: $1" https://lab.example/profiles/x; } # COOKIE
expect "nor shows it her profile at another virtual host" same "$(of_lab "$anna")" 401
profile() { in_ns "$CLIENT" curl -sk --max-time 10 -H "Cookie: $1" https://192.0.2.1/profiles/our.xml; } # COOKIE
expect "who has a good one is shown more" same "$(profile "$anna")" "$(cat "$WORK/our.xml")"

# Who brings a cookie to his login goes with another one.
tls_open
http_post / "$(init_xml)" > /dev/null
http_post /auth "$(reply_xml username anna)" > /dev/null
body=$(reply_xml password anna-secret)
printf 'POST /auth HTTP/1.1\r\nHost: vpn.example\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n%s' "$anna" ${#body} "$body" >&"${TLS[1]}"
http_answer > "$WORK/answer"
tls_close
given=$(sed -n 's/^Set-Cookie: \(webvpn=[^;]*\);.*/\1/p' "$WORK/answer")
expect "a login with a cookie gives a new one" differ "$given" "$anna"
expect "which is good" same "$(profile "$given")" "$(cat "$WORK/our.xml")"

# When it ends.
lab_sessions() { ctl -j show sessions | jq 'map(select(.vhost == "lab.example")) | length'; }
same_now() { same "$("$2")" "$1"; } # VALUE COMMAND
login_with_cookie tunnel "$anna"
soon "anna is connected" user_has anna State connected
start pings ip netns exec "$CLIENT" ping -n -D -i 0.01 -I tun0 $INSIDE
pinging=$pid
wait_for 10 has "$WORK/pings.log" icmp_seq=20
before=$EPOCHREALTIME
expect "the operator ends it" ctl terminate session "$(user_field anna 'Full session')"
expect "at once the cookie is none" denied "$anna"
soon "nobody is connected" nobody
stop "$pinging"
last=$(grep icmp_seq "$WORK/pings.log" | tail -n 1 | sed 's/^\[\([0-9.]*\)\].*/\1/')
expect "and no packet has crossed a second later" awk "BEGIN { exit $last - $before < 1 ? 0 : 1 }"
INTERFACE=tun1 login_with_cookie other "$another"
soon "her other session has its client" user_has anna State connected
leave other
soon "who says goodbye" nobody
expect "and her cookie is none" denied "$another"
lab=$(plain "$(at_lab get_cookie anna anna-secret)")
expect "in the laboratory she has another" same "$(of_lab "$lab")" 200
soon "that ends by itself" same_now 0 lab_sessions
expect "and is none then" same "$(of_lab "$lab")" 401
expect "nor opens it anything" denied "$lab"
add_user anna another-secret > /dev/null
expect "a password that was changed lets nobody in" same "$(get_cookie anna anna-secret)" ''
expect "the new one does" matches "$(get_cookie anna another-secret)" '.{40,}'
