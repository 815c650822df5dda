# Common ground of the scripts: talking, installing, building, and a gateway with clients in network namespaces.
# Sourced by bash with `set -euo pipefail`; expects TOP (the checkout) and NAME (what namespaces and the scratch folder are called).
# Whatever is started here is ended by finish(), in reverse order; nothing else is ever ended.

export LC_ALL=C.UTF-8
PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
BIN=${BIN:-$BUILD}

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# ----------------------------------------------------------------------------------------------------------- the machine

need_root() { [ "$(id -u)" = 0 ] || die "run me as root: I install packages and make network namespaces"; }

need_debian() {
  local id='' version=''
  [ -r /etc/os-release ] && { id=$(. /etc/os-release && echo "${ID-}"); version=$(. /etc/os-release && echo "${VERSION_ID-}"); }
  [ "$id" = debian ] && [ "$version" = 12 ] || say "note: this is ${id:-no Debian} ${version}, not Debian 12: packages may be missing or named otherwise"
}

# What the data path stands on; says all that is missing at once.
need_network() {
  local lacks=() probe=penstock-probe-$$ said
  mkdir -p /dev/net
  [ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200 2>/dev/null || :
  { : <> /dev/net/tun; } 2>/dev/null || lacks+=("/dev/net/tun cannot be opened (modprobe tun; in a container: --device /dev/net/tun)")
  if said=$(ip netns add $probe 2>&1); then
    said=$(ip -n $probe link add probe type veth peer name probe1 2>&1) || lacks+=("no veth interfaces: $said (modprobe veth)")
    ip netns del $probe
  else
    lacks+=("no network namespaces: $said (in a container: --privileged)")
  fi
  [ ${#lacks[@]} -eq 0 ] && return
  printf '%s: missing on this machine:\n' "${0##*/}" >&2
  printf '  %s\n' "${lacks[@]}" >&2
  exit 1
}

# seconds since a moment that $SECONDS has noted, as "12 s" or "1 min 5 s"
took() {
  local s=$((SECONDS - $1))
  if [ $s -lt 60 ]; then echo "$s s"; else echo "$((s / 60)) min $((s % 60)) s"; fi
}

# A step with its output in a log: shown in full only where it fails.
quietly() { # LOG COMMAND...
  local log=$1
  shift
  mkdir -p "${log%/*}"
  "$@" > "$log" 2>&1 < /dev/null && return
  say "failed"
  tail -n 40 "$log" >&2
  die "$* failed; all it said is in $log"
}

install_packages() { # GROUP...
  local names start=$SECONDS
  names=$("$TOP/scripts/deb-deps" --missing "$@" | wc -l)
  if [ "$names" = 0 ]; then
    say "packages   all there"
    return
  fi
  command -v apt-get > /dev/null || die "no apt-get here; install these yourself: $("$TOP/scripts/deb-deps" --missing "$@" | tr '\n' ' ')"
  printf 'packages   installing %s and what they need ... ' "$names"
  quietly "$BUILD/install.log" "$TOP/scripts/deb-deps" --install "$@"
  say "$(took $start)"
}

build_programs() {
  local start=$SECONDS
  printf 'build      into %s/ ... ' "${BUILD#"$TOP"/}"
  quietly "$BUILD/make.log" make -C "$TOP" -j"$(nproc)" "BUILD=${BUILD#"$TOP"/}" all
  say "$(took $start)"
}

# ------------------------------------------------------------------------------------------------ scratch, children, end

WORK=
endings=()
at_end() { endings+=("$1"); }

finish() {
  local i
  trap - EXIT INT TERM HUP
  for ((i = ${#endings[@]} - 1; i >= 0; i--)); do
    eval "${endings[i]}" || :
  done
}

begin() {
  WORK=$(mktemp -d "/tmp/$NAME-XXXXXX")
  chmod 755 "$WORK"
  at_end 'rm -rf "$WORK"'
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Poll until a command succeeds; its last words are the reason otherwise.
wait_for() { # SECONDS COMMAND...
  local deadline=$(($(date +%s%N) + $1 * 1000000000))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$(date +%s%N)" -lt $deadline ] || return 1
    sleep 0.1
  done
}

alive() { kill -0 "$1" 2>/dev/null && [ "$(cut -d' ' -f3 < "/proc/$1/stat" 2>/dev/null)" != Z ]; }
gone() { ! alive "$1"; }
has() { grep -qE -- "$2" "$1"; }
lacks() { ! grep -qE -- "$2" "$1"; }

# Start a program in the background: its output in $WORK/LABEL.log, its pid in $pid.
start() { # LABEL COMMAND...
  local label=$1
  shift
  "$@" >> "$WORK/$label.log" 2>&1 < /dev/null &
  pid=$!
  at_end "stop $pid $(born $pid)"
}

# When a process was started, in ticks: with its pid, it is that process and no later one.
born() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null || :; }

# TERM, and KILL for who does not listen.
stop() { # PID [BORN]
  alive "$1" || return 0
  [ -z "${2-}" ] || [ "$2" = "$(born "$1")" ] || return 0
  kill -TERM "$1" 2>/dev/null || :
  wait_for 10 gone "$1" || kill -KILL "$1" 2>/dev/null || :
  wait "$1" 2>/dev/null || :
}

# ---------------------------------------------------------------------------------------------------------------- network

add_netns() { # NETNS...
  local ns
  for ns in "$@"; do
    ip netns add "$ns"
    at_end "ip netns del $ns"
    ip -n "$ns" link set lo up
  done
}

# A cable between two namespaces.
add_link() { # NETNS INTERFACE ADDRESS[,ADDRESS] NETNS INTERFACE ADDRESS[,ADDRESS]
  ip link add name "$2" netns "$1" type veth peer name "$5" netns "$4"
  set_address "$1" "$2" "$3"
  set_address "$4" "$5" "$6"
}

set_address() { # NETNS INTERFACE ADDRESS[,ADDRESS]
  local address
  for address in ${3//,/ }; do
    case $address in
    *:*) ip -n "$1" addr add "$address" dev "$2" nodad ;;
    *) ip -n "$1" addr add "$address" dev "$2" ;;
    esac
  done
  ip -n "$1" link set "$2" up
}

in_ns() { ip netns exec "$@"; } # NETNS COMMAND...

# ---------------------------------------------------------------------------------------------------------------- gateway

pin_of() { # CERTIFICATE
  say "pin-sha256:$(openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)"
}

# A throw-away certificate; $PIN is how openconnect knows it.
make_certificate() { # [ALGORITHM...: words for openssl req -newkey]
  [ $# -gt 0 ] || set -- ec -pkeyopt ec_paramgen_curve:P-256
  openssl req -x509 -newkey "$@" -nodes -days 2 -subj /CN=vpn.example -addext subjectAltName=DNS:vpn.example \
    -keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>> "$WORK/openssl.log"
  PIN=$(pin_of "$WORK/cert.pem")
}

add_user() { # USER PASSWORD
  printf '%s\n%s\n' "$2" "$2" | "$BIN/penstock-passwd" -c "$WORK/passwd" "$1"
}

# A complete configuration in $CONFIG; what comes on standard input stands behind it.
write_config() { # LISTEN_ADDRESS...
  local address
  CONFIG=$WORK/penstock.conf
  {
    say "auth = \"${AUTH:-plain[passwd=$WORK/passwd]}\""
    for address in "$@"; do say "listen-host = $address"; done
    cat <<CONF
tcp-port = 443
udp-port = 443
server-cert = $WORK/cert.pem
server-key = $WORK/key.pem
run-as-user = nobody
run-as-group = nogroup
occtl-socket-file = $WORK/admin.socket
pid-file = $WORK/penstockd.pid
session-file = $WORK/sessions
device = vpns
ipv4-network = 10.99.0.0/24
dns = 10.99.0.1
default-domain = example.org
use-utmp = false
route = 10.99.0.0/255.255.255.0
log-level = 2
CONF
    cat
  } > "$CONFIG"
}

ctl() { "$BIN/penstockctl" -s "$WORK/admin.socket" -n "$@"; }

# Start the gateway in a namespace and wait until it answers.
start_gateway() { # NETNS [OPTION...]
  local ns=$1
  shift
  at_end "end_mains '$CONFIG'"
  start gateway ip netns exec "$ns" "$BIN/penstockd" -f -c "$CONFIG" "$@"
  GATEWAY=$pid
  wait_for 30 gateway_settled
  gateway_online
}

# A keeper that had to be killed leaves its main.
end_mains() { # CONFIG
  local pid
  for pid in $(pgrep -f -- "penstockd .*$1"); do kill -KILL "$pid"; done
}

gateway_online() { ctl show status 2>/dev/null | grep -q 'Status: online'; }
gateway_settled() { gone "$GATEWAY" || gateway_online; }

# ----------------------------------------------------------------------------------------------------------------- client

# openconnect in a namespace of its own; returns once its tunnel is up. $pid is the client's, $WORK/LABEL.log what it said.
url_of() { case $1 in *\?*) say "https://$1" ;; *) say "https://$1/" ;; esac; } # HOST[/PATH][?QUERY]

start_client() { # LABEL NETNS USER PASSWORD HOST [OPTION...]
  local label=$1 ns=$2 user=$3 password=$4 host=$5
  shift 5
  rm -f "$WORK/$label.log" "$WORK/$label.network"
  printf '%s\n' "$password" > "$WORK/$label.password"
  NETWORK_LOG=$WORK/$label.network start "$label" ip netns exec "$ns" \
    sh -c 'exec openconnect "$@" < '"$WORK/$label.password" openconnect --passwd-on-stdin --user "$user" \
    --servercert "$PIN" --script "$TOP/scripts/client-network" --interface "${INTERFACE:-tun0}" --timestamp -v "$@" "$(url_of "$host")"
}

client_up() { # LABEL
  has "$WORK/$1.log" 'Configured as|Connected as' && has "$WORK/$1.network" 'reason=connect'
}

client_settled() { gone "$2" || client_up "$1"; } # LABEL PID

client_on_dtls() { has "$WORK/$1.log" 'Established DTLS connection'; }
