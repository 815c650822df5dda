# FreeRADIUS in the gateway's namespace, for tests that source this behind lib.sh. A server is started by radius_server NAME PORT; all of
# them have the users of $WORK/radius-users. What they receive and send is in $WORK/NAME.log. Accounting is taken at the next port, and
# written to $WORK/NAME.raddb/detail.
RADIUS_SECRET=between-us

radius_users() { cat > "$WORK/radius-users"; }

# carl is asked for a code besides. This FreeRADIUS signs its answers only where it is told to.
radius_server() { # NAME PORT
  local dir=$WORK/$1.raddb
  mkdir -p "$dir"
  cat > "$dir/radiusd.conf" << CONF
libdir = /usr/lib/freeradius
logdir = $dir
radacctdir = $dir
run_dir = $dir
raddbdir = $dir
max_request_time = 10
security {
  reject_delay = 0
  status_server = no
}
thread pool {
  start_servers = 1
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 2
}
client gateway {
  ipaddr = 127.0.0.1
  secret = $RADIUS_SECRET
  require_message_authenticator = yes
}
modules {
  always handled {
    rcode = handled
  }
  files {
    usersfile = $WORK/radius-users
  }
  pap {
  }
  detail {
    filename = $dir/detail
    permissions = 0600
  }
}
server default {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = $2
  }
  listen {
    type = acct
    ipaddr = 127.0.0.1
    port = $(($2 + 1))
  }
  accounting {
    detail
  }
  authorize {
    update reply {
      &Message-Authenticator := 0x00
    }
    if (&User-Name == "carl" && !&State) {
      update reply {
        &Reply-Message := "Code from your phone:"
        &State := 0x726f756e642031
      }
      update control {
        &Response-Packet-Type := Access-Challenge
      }
      handled
    }
    files
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
CONF
  start "$1" ip netns exec "$SERVER" freeradius -f -xx -l stdout -d "$dir"
  wait_for 10 has "$WORK/$1.log" 'Ready to process requests' || fail "FreeRADIUS starts"
}

# What the gateway is told of them, in the words of radcli.
radius_client() { # FILE PORT...
  local file=$1 port servers='' accounting=''
  shift
  for port; do
    servers+=${servers:+,}127.0.0.1:$port:$RADIUS_SECRET
    accounting+=${accounting:+,}127.0.0.1:$((port + 1)):$RADIUS_SECRET
  done
  cat > "$file" << CONF
authserver $servers
acctserver $accounting
dictionary /etc/radcli/dictionary
radius_timeout 1
radius_retries 1
radius_deadtime 2
CONF
}

# An attribute of all accounting records of that kind, the oldest first.
radius_detail() { # NAME STATUS ATTRIBUTE
  [ -f "$WORK/$1.raddb/detail" ] || return 0
  awk -v status="$2" -v attribute="$3" '
    function finish() { if (kind == status && value != "") print value; kind = value = "" }
    /^[^ \t]/ { finish() }
    $1 == "Acct-Status-Type" { kind = $3 }
    $1 == attribute { value = $3; gsub(/"/, "", value) }
    END { finish() }' "$WORK/$1.raddb/detail"
}
