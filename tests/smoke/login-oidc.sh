#!/usr/bin/env bash
# Bearer tokens: whoever an issuer's token names gets in, and no other token opens anything; the issuer may change its keys, and go away.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── https://127.0.0.1:8443 an OpenID Connect issuer of this test's own
. "$(dirname "$0")/lib.sh"

b64url() { basenc --base64url -w 0 | tr -d =; }
now() { date +%s; }

# The issuer: keys, and files that a TLS server hands out.
make_issuer() {
  mkdir "$WORK/idp"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=issuer \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$WORK/idp.key" -out "$WORK/idp.pem" 2>> "$WORK/openssl.log"
  new_key one
  new_key two
  publish one
  printf '{"issuer":"https://127.0.0.1:8443","jwks_uri":"https://127.0.0.1:8443/keys"}' > "$WORK/idp/discovery"
  cat > "$WORK/oidc.json" << JSON
{ "openid_configuration_url": "https://127.0.0.1:8443/discovery", "user_name_claim": "preferred_username",
  "client_id": "vpn", "ca_file": "$WORK/idp.pem", "minimum_jwk_refresh_time": 1 }
JSON
}

new_key() { openssl genrsa -out "$WORK/$1.key" 2048 2>> "$WORK/openssl.log"; } # KID

publish() { # KID
  local n
  n=$(openssl rsa -in "$WORK/$1.key" -noout -modulus | sed 's/.*=//' | basenc -d --base16 | b64url)
  printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"%s","n":"%s","e":"AQAB"}]}' "$1" "$n" > "$WORK/idp/keys"
}

issuer_up() {
  start issuer ip netns exec "$SERVER" sh -c "cd '$WORK/idp' && exec openssl s_server -accept 127.0.0.1:8443 -WWW -cert ../idp.pem -key ../idp.key"
  issuer=$pid
  wait_for 10 listens "$SERVER" 8443
}

claims() { # [MORE]
  printf '{"iss":"https://127.0.0.1:8443","aud":"vpn","iat":%d,"exp":%d,"preferred_username":"anna"%s}' "$(now)" $(($(now) + 60)) "${1-}"
}

token() { # KID CLAIMS [HEADER]
  local signed
  signed=$(printf '%s' "${3-{\"alg\":\"RS256\",\"kid\":\"$1\"\}}" | b64url).$(printf '%s' "$2" | b64url)
  printf '%s.%s' "$signed" "$(printf '%s' "$signed" | openssl dgst -sha256 -sign "$WORK/$1.key" -binary | b64url)"
}

opens() { # TOKEN: the cookie, or nothing
  in_ns "$CLIENT" openconnect --token-mode=oidc --token-secret="$1" --servercert "$PIN" --non-inter --authenticate \
    https://192.0.2.1/ 2>> "$WORK/authenticate.log" < /dev/null | sed -n "s/^COOKIE='\(.*\)'/\1/p"
}
opened() { [ -n "$(opens "$1")" ]; }
says() { # WHY TOKEN: it opens nothing, and the log says why
  local before
  before=$(wc -l < "$WORK/gateway.log")
  same "$(opens "$2")" '' && matches "$(tail -n "+$((before + 1))" "$WORK/gateway.log")" "token refused: $1"
}

network
make_issuer
gateway 192.0.2.1 << CONF
enable-auth = "oidc[config=$WORK/oidc.json]"
max-ban-score = 0
CONF
MAY_LOG='oidc'

# The issuer is not there yet.
expect "without the issuer's keys no token opens anything" same "$(opens "$(token one "$(claims)")")" ''
expect "who has a password needs no token" matches "$(get_cookie anna anna-secret)" '.{40,}'
issuer_up
soon "with its keys a token of the issuer's does" opened "$(token one "$(claims)")"

start anna ip netns exec "$CLIENT" openconnect --token-mode=oidc --token-secret="$(token one "$(claims)")" --servercert "$PIN" \
  --non-inter --script "$TOP/scripts/client-network" https://192.0.2.1/
soon "its bearer has a session" user_has anna Username '^anna$'
expect "the operator sees how the issuer is doing" matches "$(ctl show auth)" '127\.0\.0\.1:8443.*1 keys, fetched'

# Everything else opens nothing.
expect "one that has expired" says 'it has expired' "$(token one "$(claims ",\"exp\":1000000000" | sed 's/"exp":[0-9]*,//')")"
expect "one for somebody else" says 'it is for somebody else' "$(token one "$(claims | sed 's/"vpn"/"web"/')")"
expect "one of another issuer" says 'it is of another issuer' "$(token one "$(claims | sed 's/127.0.0.1/127.0.0.2/')")"
expect "one that names no user" says 'it names no user' "$(token one "$(claims | sed 's/anna/..\/anna/')")"
expect "one signed by somebody else" says 'its signature is wrong' "$(token two "$(claims)" '{"alg":"RS256","kid":"one"}')"
expect "one that says that it needs no signature" says 'its algorithm is none of' "$(token one "$(claims)" '{"alg":"none"}')"
expect "one signed with what everybody knows" says 'its algorithm is none of' "$(token one "$(claims)" '{"alg":"HS256","kid":"one"}')"
expect "what is no token at all" says 'it does not have three parts' nonsense
expect "no token is in the log" never grep -q "$(token one "$(claims)" | cut -c 1-30)" "$WORK/gateway.log"

# New keys, and then no issuer at all.
publish two
soon "a key that the issuer has made since is fetched" opened "$(token two "$(claims)")"
expect "the one before is none any more" says 'no key' "$(token one "$(claims)")"
stop "$issuer"
expect "while the issuer is away its keys stay good" opened "$(token two "$(claims)")"
ctl reload > /dev/null
expect "after a reload, too" opened "$(token two "$(claims)")"
