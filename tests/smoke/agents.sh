#!/usr/bin/env bash
# Clients by their User-Agent: openconnect says that it is each of those that ocserv knows, and is told what that one understands.
#
#   client ════ 192.0.2.1 gateway 10.99.0.1 fd99::1
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
ipv6-network = fd99::/64
dns = fd99::1
route = fd00::/8
dpd = 40
mobile-dpd = 700
idle-timeout = 800
mobile-idle-timeout = 900
CONF

# One client after the other: what it was told, and what it was not.
told() { # SENTENCE AGENT OPTION... -- HEADER_REGEX... -- HEADER_REGEX...
  local sentence=$1 agent=$2 options=() regex
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  login client anna --no-dtls "--useragent=$agent" ${options[@]+"${options[@]}"}
  while [ "$1" != -- ]; do expect "$sentence $1" client_says client "X-CSTP-$1"; shift; done
  shift
  for regex; do expect "$sentence no $regex" never client_says client "X-CSTP-$regex"; done
  expect "its packets cross" answers -I tun0 $INSIDE
  expect "the operator sees what it is" same "$(user_field anna User-Agent)" "$agent"
  leave client
  soon "it leaves" nobody
}
lists=("Split-Include: 10\.99\.0\.0/" "Split-Include-IP6: fd00::/8")
told "openconnect gets" "Open AnyConnect VPN Agent v9.01" -- "${lists[@]}" "DNS: fd99::1" "DPD: 40" -- "DNS-IP6" "Split-Include-IP6: 2000"
told "openconnect of old gets" "Open AnyConnect VPN Agent v3.20" -- "Address-IP6: fd99::" "Split-Include: 10\.99" -- "DNS: fd99" "Split-Include-IP6"
told "AnyConnect gets" "AnyConnect Windows 4.10.07061" -- "${lists[@]}" "DNS-IP6: fd99::1" -- "DNS: fd99"
told "AnyConnect on an iPhone gets" "Cisco AnyConnect VPN Agent for Apple iPhone 4.10" --os=apple-ios -- "${lists[@]}" "DNS-IP6: fd99::1" \
  "Split-Include-IP6: 2000::/3" "DPD: 700" "Idle-Timeout: 900" -- "DNS: fd99"
told "AnyLink gets" "AnyLink Secure Client 0.8" -- "${lists[@]}" "DNS: fd99::1" -- "DNS-IP6"
told "an unknown one gets" "something else" -- "${lists[@]}" "DNS: fd99::1" -- "DNS-IP6"

# The form is bare for openconnect up to version 3.
form_for() { # AGENT
  local body
  body=$(init_xml)
  tls_open
  printf 'POST / HTTP/1.1\r\nHost: vpn.example\r\nUser-Agent: %s\r\nContent-Length: %d\r\n\r\n%s' "$1" "${#body}" "$body" >&"${TLS[1]}"
  http_answer > "$WORK/answer"
  tr -d '\n' < "$WORK/answer" > "$WORK/form"
  tls_close
}
form_for 'Open AnyConnect VPN Agent v3.20'
expect "old openconnect gets a bare form" has "$WORK/form" '<\?xml[^>]*><auth id="main">'
form_for 'AnyConnect Linux_64'
expect "others get it in a config-auth" has "$WORK/form" '<config-auth client="vpn" type="auth-request">'

# Clavister's client asks without a leading slash.
cookie=$(get_cookie anna anna-secret)
tls_open
printf 'CONNECT CSCOSSLC/tunnel HTTP/1.1\r\nHost: vpn.example\r\nUser-Agent: Clavister OneConnect VPN 1\r\nCookie: %s\r\nX-CSTP-Address-Type: IPv4\r\n\r\n' \
  "$cookie" >&"${TLS[1]}"
http_answer > "$WORK/clavister"
expect "Clavister's way is understood" has "$WORK/clavister" '^HTTP/1.1 200 CONNECTED'
expect "and answered" has "$WORK/clavister" '^X-CSTP-Address: 10\.99\.0\.'
tls_close
