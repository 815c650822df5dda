#!/usr/bin/env bash
# penstockctl where people and scripts use it: its shell on a terminal, commands out of files, pagers and colours.
#
#   client ════ 192.0.2.1 gateway ── admin socket ── penstockctl
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 < /dev/null
login client anna
export HOME=$WORK
unset XDG_STATE_HOME PENSTOCKCTL_PAGER OCCTL_PAGER PAGER NO_COLOR
ask() { "$BIN/penstockctl" -s "$WORK/admin.socket" "$@"; }

as_occtl() { unshare -m sh -c 'mount -t tmpfs none /run && ln -s "$1/admin.socket" /run/occtl.socket && exec "$2/penstockctl" show users' sh "$WORK" "$BIN"; }
expect "where ocserv's configuration has it, the socket is found" matches "$(as_occtl)" anna

# ---------------------------------------------------------------------------------------------------------------- the shell

# A program on a terminal: from and to it by $from and $to, which outlive it (coproc's own go with it).
on_pty() { # COMMAND
  coproc PTY { TERM=xterm exec script -qec "$1" /dev/null; }
  exec {from}<&"${PTY[0]}" {to}>&"${PTY[1]}"
}
screen() { # what it still shows, to its end
  local line=''
  while IFS= read -r -t 10 -u "$from" line; do say "$line"; done
  say "$line"
  exec {from}<&- {to}>&-
}

# Type these keys; what the terminal has shown by the end is in $WORK/screen.
type() { # KEYS
  local line
  on_pty "$BIN/penstockctl -n -s $WORK/admin.socket"
  IFS= read -r -t 10 -d '>' -u "$from" line || return 1
  printf '%b' "$1" >&"$to"
  screen > "$WORK/screen"
}
expect "a shell" type 'res\t\nsho\tuser an\t\nexit\n'
expect "completes words and names" has "$WORK/screen" 'Username: anna'
expect "another" type 'show ?users\nterminate user ?anna2\nexit\n'
expect "says what may come next" has "$WORK/screen" '^ +status +how the gateway is doing'
expect "and which words go on" has "$WORK/screen" '^ +ip +\.\.\.'
expect "and whom a command may name" has "$WORK/screen" '^ +anna'
expect "and goes on with the line" has "$WORK/screen" "user 'anna2' has no session"
expect "another" type 'capture session 1 x ?\0025exit\n'
expect "says what else there is" has "$WORK/screen" '^ +packets='
expect "lines are kept" has "$WORK/.penstockctl_history" 'show.*users'
expect "for nobody else" same "$(stat -c %a "$WORK/.penstockctl_history")" 600
expect "the next one" type '\020\020\n exit\n' # Ctrl-P twice: exit, and the line before it
expect "has them" has "$WORK/screen" "user 'anna2' has no session"
printf '_HiStOrY_V2_\n' > "$WORK/somewhere"
ln -sf "$WORK/somewhere" "$WORK/.penstockctl_history"
expect "a link in its place" type 'show users\nexit\n'
expect "is not followed" lacks "$WORK/somewhere" users
mkdir "$WORK/state"
XDG_STATE_HOME=$WORK/state expect "XDG_STATE_HOME" type 'show iroutes\nexit\n'
expect "is where it is kept then" has "$WORK/state/penstockctl/history" iroutes

# ------------------------------------------------------------------------------------------------------------------- files

printf '# who is there?\n\n  show users\nshow user "anna"\n' > "$WORK/good"
expect "commands come from a file" matches "$(ask -f "$WORK/good")" 'vpn-ip.*Username: anna'
expect "or from standard input" matches "$(ask -f - < "$WORK/good")" 'Username: anna'
printf 'show users\n\nshow user zoe\nunban ip nonsense\nshow status\n' > "$WORK/bad"
status() { ask "$@" > "$WORK/said" 2> "$WORK/complaints" && say 0 || say $?; }
expect "the first that fails ends it" same "$(status -f "$WORK/bad")" 1
expect "and is named" has "$WORK/complaints" "bad:3: failed"
expect "the rest is left" lacks "$WORK/said" 'Status: online'
expect "unless it is to go on" same "$(status -k -f "$WORK/bad")" 1
expect "with all that fail" same "$(grep -c 'bad:[34]: failed' "$WORK/complaints")" 2
expect "and all that follow" has "$WORK/said" 'Status: online'
printf 'show nonsense\n' > "$WORK/bad"
expect "what is no command has its status" same "$(status -f "$WORK/bad")" 2
printf 'show users "\n' > "$WORK/bad"
expect "so has a quote that is open" same "$(status -f "$WORK/bad")" 2
printf 'exit\nshow nonsense\n' > "$WORK/bad"
expect "exit ends it" same "$(status -f "$WORK/bad")" 0
expect "a file that is not there is said" same "$(status -f "$WORK/nowhere")" 2
expect "JSON, too" same "$(ask -j -f "$WORK/good" | jq -r '.[0].Username' | sort -u)" anna

# --------------------------------------------------------------------------------------------------------- pagers, colours

on_terminal() { script -qec "$BIN/penstockctl -s $WORK/admin.socket $*" /dev/null < /dev/null; }
green=$'\033\\[32mconnected'
expect "a terminal has colours" matches "$(TERM=xterm on_terminal -n show users)" "$green"
expect "but not where NO_COLOR is set" never matches "$(NO_COLOR=1 TERM=xterm on_terminal -n show users)" "$green"
expect "nor a dumb one" never matches "$(TERM=dumb on_terminal -n show users)" "$green"
expect "nor JSON" never matches "$(TERM=xterm on_terminal -n -j show users)" "$green"
expect "nor a pipe" never matches "$(TERM=xterm ask show users)" "$green"
pager='sed s/^/paged:/'
expect "a terminal has a pager" matches "$(TERM=xterm PAGER=$pager on_terminal show users)" 'paged:id '
expect "occtl's before the common one" matches "$(TERM=xterm OCCTL_PAGER=$pager PAGER=false on_terminal show users)" 'paged:id '
expect "ours before that" matches "$(TERM=xterm PENSTOCKCTL_PAGER=$pager OCCTL_PAGER=false on_terminal show users)" 'paged:id '
expect "unless it is not wanted" never matches "$(TERM=xterm PAGER=$pager on_terminal -n show users)" paged
expect "a pipe has none" never matches "$(PAGER=$pager ask show users)" paged

# --------------------------------------------------------------------------------------------------------------------- top

start ping ip netns exec "$CLIENT" ping -q -i 0.05 -s 1200 $INSIDE
expect "top is one look where there is no terminal" matches "$(ask top seconds=1)" 'From clients: [0-9.]+ kbit/s.*users:.*anna'
expect "for programs, too" more "$(ask -j top seconds=1 | jq '.users[] | select(.Username == "anna") | .raw_tx_bits')" 50000
expect "with cores" more "$(ask -j top seconds=1 | jq '.cores | length')" 0
expect "what is no word of it is said" same "$(status top by=colour)" 2
# On a terminal it is a screen of its own, until q.
top_on_terminal() { # waits for a user to be there before it types
  local line='' seen=''
  on_pty "stty rows 12 cols 60; $BIN/penstockctl -s $WORK/admin.socket top seconds=1"
  while IFS= read -r -t 10 -u "$from" line; do
    seen+=$line$'\n'
    [[ $line != *anna* ]] || break
  done
  printf 'sq' >&"$to"
  { say "$seen"; screen; } | tr -d '\r' > "$WORK/screen"
}
expect "on a terminal it has a screen" top_on_terminal
expect "with its users" has "$WORK/screen" 'anna'
expect "in other orders by a key" has "$WORK/screen" 'every 1 s, by rx'
expect "and gives the terminal back" has "$WORK/screen" $'\033\\[\\?1049l'
expect "no line is wider than the terminal" same "$(sed 's/\x1b\[[?0-9]*[a-zA-Z]//g' "$WORK/screen" | awk 'length > 60' | wc -l)" 0

# -------------------------------------------------------------------------------------------------------------------- bash

# What bash would offer for these words, the last of which is being typed.
offers() {
  PATH=$BIN:$PATH bash -c '. "$0" && complete -p penstockctl > /dev/null && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _penstockctl && echo "${COMPREPLY[*]}"' \
    "$BIN/penstockctl.bash" penstockctl "$@"
}
at=(-s "$WORK/admin.socket")
expect "bash knows where a command begins" same "$(offers s)" 'show stop'
expect "and how it goes on" same "$(offers show ip ban)" 'bans ban'
expect "behind options" same "$(offers -j --socket-file = "$WORK/nowhere" show ip ban '')" points
expect "which it knows, too" same "$(offers --no)" --no-pager
expect "it asks who is there" same "$(offers "${at[@]}" show user a)" anna
expect "also of a shortened command" same "$(offers "${at[@]}" disc u '')" anna
expect "and of a session" same "$(offers "${at[@]}" terminate session '')" "$(user_field anna Session)"
touch "$WORK/file-of-commands"
expect "and what a command can be told" same "$(offers "${at[@]}" top s)" seconds=
expect "but for no file, where none is wanted" same "$(offers "${at[@]}" show user doc)" ""
expect "a capture goes into one" same "$(offers "${at[@]}" capture session 1 "$WORK/file-of")" "$WORK/file-of-commands"
expect "a file is a file" same "$(offers -f "$WORK/file-of")" "$WORK/file-of-commands"
