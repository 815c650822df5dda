# Certificates of clients, for smoke tests that source lib.sh: authorities, and who has what from them.

# An authority with an empty revocation list: $WORK/NAME.pem, NAME.key, NAME.crl.
make_authority() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -keyout "$WORK/$1.key" -out "$WORK/$1.pem" 2> /dev/null
  : > "$WORK/$1.index"
  printf '[ca]\ndefault_ca = it\n[it]\ndatabase = %s/%s.index\ndefault_md = sha256\ndefault_crl_days = 30\n' "$WORK" "$1" > "$WORK/$1.cnf"
  publish_revoked "$1"
}

# What the authority has revoked until now.
publish_revoked() { # AUTHORITY
  openssl ca -config "$WORK/$1.cnf" -gencrl -keyfile "$WORK/$1.key" -cert "$WORK/$1.pem" -out "$WORK/$1.crl.new" 2> /dev/null
  mv "$WORK/$1.crl.new" "$WORK/$1.crl"
}
revoke() { # AUTHORITY NAME
  openssl ca -config "$WORK/$1.cnf" -revoke "$WORK/$2.pem" -keyfile "$WORK/$1.key" -cert "$WORK/$1.pem" 2> /dev/null
  publish_revoked "$1"
}

# $WORK/NAME.pem and NAME.key; KEY as `openssl req -newkey` has it. EXTENSIONS may be set before: without them clientAuth.
make_client() { # AUTHORITY NAME SUBJECT [DAYS [KEY...]]
  local authority=$1 name=$2 subject=$3 days=${4:-30}
  shift $(($# < 4 ? $# : 4))
  [ $# -gt 0 ] || set -- ec -pkeyopt ec_paramgen_curve:P-256
  openssl req -new -newkey "$@" -nodes -subj "$subject" -keyout "$WORK/$name.key" -out "$WORK/$name.csr" 2> /dev/null
  openssl x509 -req -in "$WORK/$name.csr" -CA "$WORK/$authority.pem" -CAkey "$WORK/$authority.key" -CAcreateserial -days "$days" \
    -extfile <(printf '%s\n' "${EXTENSIONS:-extendedKeyUsage=clientAuth}") -out "$WORK/$name.pem" 2> /dev/null
}

# openconnect's options to show it.
shows() { printf '%s\n' --certificate "$WORK/$1.pem" --sslkey "$WORK/$1.key"; } # NAME

# The gateway's part of it.
certificates() { # AUTHORITY
  cat << CONF
ca-cert = $WORK/$1.pem
crl = $WORK/$1.crl
cert-user-oid = 0.9.2342.19200300.100.1.1
cert-group-oid = 2.5.4.11
CONF
}
