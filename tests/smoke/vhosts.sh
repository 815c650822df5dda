#!/usr/bin/env bash
# Virtual hosts: the name in a client's TLS handshake says whose certificate, users, networks and settings are its; each is a gateway of
# its own, and a reload brings them and takes them away.
#
#   client ════ 192.0.2.1 vpn.example    anna   10.99.0.0/24
#                         lab.example    lisa   10.88.0.0/24
. "$(dirname "$0")/lib.sh"

certificate() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$WORK/$1.key" \
    -out "$WORK/$1.pem" 2>> "$WORK/openssl.log"
}
network
certificate lab.example
mkdir "$WORK/lab-users"
echo 'dns = 10.88.0.53' > "$WORK/lab-users/lisa"
printf 'lisa-secret\nlisa-secret\n' | "$BIN/penstock-passwd" -c "$WORK/lab.passwd" lisa > /dev/null
gateway << CONF
banner = "everybody"
[vhost:Lab.Example]
server-cert = $WORK/lab.example.pem
server-key = $WORK/lab.example.key
auth = "plain[passwd=$WORK/lab.passwd]"
ipv4-network = 10.88.0.0/24
route = 10.88.0.0/24
banner = "the laboratory"
config-per-user = $WORK/lab-users
CONF

subject_of() { # [OPTION of s_client...]
  in_ns "$CLIENT" openssl s_client -connect 192.0.2.1:443 "$@" < /dev/null 2>> "$WORK/s_client.log" | openssl x509 -noout -subject
}
default_subject=$(openssl x509 -noout -subject -in "$WORK/cert.pem")
for version in -tls1_2 -tls1_3; do
  expect "lab.example has its certificate ($version)" same "$(subject_of $version -servername LAB.example)" 'subject=CN = lab.example'
  expect "others get the default one" same "$(subject_of $version -servername other.example)" "$default_subject"
  expect "and so does who asks for nobody" same "$(subject_of $version -noservername)" "$default_subject"
done

at_lab() { PIN=$(pin_of "$WORK/lab.example.pem") HOST=lab.example INTERFACE=tun1 "$@" --resolve lab.example:192.0.2.1; }
login anna anna
at_lab login lisa lisa
expect "lisa is in the laboratory's network" user_has lisa IPv4 '^10\.88\.0\.'
expect "and anna in everybody's" user_has anna IPv4 '^10\.99\.0\.'
expect "with the laboratory's banner" client_says lisa 'the laboratory'
expect "anna has everybody's" client_says anna everybody
expect "the file of lisa is the laboratory's" matches "$(ctl -j show user lisa | jq -r '.[0].DNS | join(" ")')" '^10\.88\.0\.53$'
expect "the operator sees where lisa is" user_has lisa vhost '^lab\.example$'
expect "and where anna is" user_has anna vhost '^default$'
expect "in the list of sessions too" same "$(ctl -j show sessions | jq -r '.[] | select(.Username == "lisa") | .vhost')" lab.example
expect "lisa is nobody elsewhere" same "$(get_cookie lisa lisa-secret)" ''
expect "nor anna there" same "$(at_lab get_cookie anna anna-secret)" ''

cookie=$(at_lab get_cookie lisa lisa-secret)

certificate new.example
sed -i '/^\[vhost:/,$d' "$CONFIG"
cat >> "$CONFIG" << CONF
[vhost:new.example]
server-cert = $WORK/new.example.pem
server-key = $WORK/new.example.key
CONF
expect "a reload" ctl reload
expect "brings a virtual host" same "$(subject_of -servername new.example)" 'subject=CN = new.example'
expect "and takes one away" same "$(subject_of -servername lab.example)" "$default_subject"
expect "lisa's tunnel stays" user_has lisa State connected
expect "and carries packets" pings -I tun1 10.88.0.1
login_with_cookie late "$cookie" --protocol anyconnect
expect "who had logged in there has to log in anew" client_says late '401'
