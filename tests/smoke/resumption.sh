#!/usr/bin/env bash
# TLS sessions that are resumed: by their own client, with the certificate that it has shown then.
#
#   client 192.0.2.2 and .3 ════ 192.0.2.1 gateway: certificate or password; lab.example: certificate
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/data/pki.sh"

network
ip -n "$CLIENT" addr add 192.0.2.3/24 dev eth0
make_authority acme
make_client acme anna "/UID=anna"
make_client acme bert "/UID=bert"
gateway 192.0.2.1 < <(certificates acme; printf '%s\n' 'enable-auth = certificate' '[vhost:lab.example]' 'auth = certificate')

# One login request on a connection of s_client's, which keeps what it may resume in $WORK/SESSION.new; its answer stays in $answer.
ask() { # SESSION OPTION...
  local session=$1 body
  shift
  body=$(init_xml)
  answer=$(printf 'POST / HTTP/1.1\r\nUser-Agent: smoke\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' ${#body} "$body" |
    in_ns "$CLIENT" timeout 20 openssl s_client -ign_eof -connect 192.0.2.1:443 -sess_out "$WORK/$session.new" "$@" 2>&1 || true)
  [ ! -f "$WORK/$session.new" ] || mv "$WORK/$session.new" "$WORK/$session"
}
new() { grep -q '^New, TLS' <<< "$answer"; }
reused() { grep -q '^Reused, TLS' <<< "$answer"; }
logged_in() { grep -q '<auth id="success">' <<< "$answer"; }
asked_for_user() { grep -q 'name="username"' <<< "$answer"; }

for version in tls1_2 tls1_3; do
  ask "$version" -$version
  expect "$version: a new session" new
  cp "$WORK/$version" "$WORK/first"
  ask "$version" -$version -sess_in "$WORK/$version"
  expect "$version: it is resumed" reused
  expect "$version: and has nobody logged in" asked_for_user
  ask "$version" -$version -sess_in "$WORK/$version"
  expect "$version: and so again" reused
  if [ $version = tls1_3 ]; then
    ask again -$version -sess_in "$WORK/first"
    expect "$version: a ticket is good once" new
  fi
  ask "$version" -$version -sess_in "$WORK/$version" -bind 192.0.2.3
  expect "$version: not from another address" new

  ask anna -$version -cert "$WORK/anna.pem" -key "$WORK/anna.key"
  expect "$version: anna's certificate" logged_in
  ask anna -$version -sess_in "$WORK/anna"
  expect "$version: her session goes on" reused
  expect "$version: with it, though it is not shown again" logged_in
done

for version in tls1_2 tls1_3; do
  ask lab -$version -servername lab.example -cert "$WORK/anna.pem" -key "$WORK/anna.key"
  expect "$version: anna at lab.example" logged_in
  ask other -$version -sess_in "$WORK/lab" -noservername
  expect "$version: nowhere else does that session go on" new
  expect "$version: nor her certificate" asked_for_user
  ask lab -$version -sess_in "$WORK/lab" -servername lab.example
  expect "$version: there it does" logged_in
  ask other -$version -sess_in "$WORK/other" -servername lab.example
  expect "$version: where a certificate is needed nobody else's session will do" never reused
done

# GnuTLS's, which openconnect is made with: the second connection of two.
for version in 1.2 1.3; do
  gnutls=$(in_ns "$CLIENT" timeout 20 gnutls-cli --resume --waitresumption --insecure -p 443 192.0.2.1 \
    --priority "NORMAL:-VERS-ALL:+VERS-TLS$version" < /dev/null 2>&1 || true)
  expect "GnuTLS resumes TLS $version" grep -q 'This is a resumed session' <<< "$gnutls"
done

for version in tls1_2 tls1_3; do
  make_client acme anna "/UID=anna"
  ask anna -$version -cert "$WORK/anna.pem" -key "$WORK/anna.key"
  expect "$version: a new certificate of anna's" logged_in
  revoke acme anna
  ask anna -$version -sess_in "$WORK/anna"
  expect "$version: revoked, its session does not go on" new
  expect "$version: nor has anybody logged in" asked_for_user
done
soon "the log says why" has "$WORK/gateway.log" 'certificate is refused: certificate revoked'
ask bert -tls1_3 -cert "$WORK/bert.pem" -key "$WORK/bert.key"
expect "bert's certificate is good" logged_in
expect "reload" ctl reload
ask bert -tls1_3 -sess_in "$WORK/bert"
expect "his session survives a reload" reused
expect "with his certificate" logged_in
