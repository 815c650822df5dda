# What every measurement by a script has: its options, a folder and namespaces of its own, and nothing that it leaves behind.
# To be sourced with the defaults of the options that there are (runs, seconds, logins) in variables of those names.
markdown=no
usage() { sed -n 's/^# *\(tests.bench.*\)/usage: \1/p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --markdown) markdown=yes; shift ;;
    --runs | --seconds | --logins)
      [[ -v ${1#--} && ${2-} =~ ^[1-9][0-9]*$ ]] || usage
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) usage ;;
  esac
done
build=$(realpath "${BUILD:-build}")
work=$(mktemp -d) id=$$
pids=() spaces=()

stop_pid() { # PID: end it and wait until it has gone
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 500); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done # ocserv takes up to 15 s
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
cleanup() {
  for p in "${pids[@]}"; do stop_pid "$p"; done
  for s in "${spaces[@]}"; do ip netns del "$s" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "$0: $*" >&2; tail -n 20 "$work"/*.log >&2; exit 1; }
until_true() { # SECONDS WHAT COMMAND...: wait for a condition
  local left=$(($1 * 20)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ] || fail "waited too long for $what"; sleep 0.05; done
}
add_spaces() { for s; do spaces+=("$s"); ip netns add "$s"; done; } # NAME...
