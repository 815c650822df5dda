# Rows of a table of faults: what one has done beside its goal. For scripts that set $markdown.
now_ms() { local us=${EPOCHREALTIME/./}; echo $((us / 1000)); }
met=0 missed=0
table_row() { # FAULT GOAL MEASURED MET(0: yes)
  local verdict=met
  if [ "$4" = 0 ]; then met=$((met + 1)); else verdict=missed missed=$((missed + 1)); fi
  if [ -n "$markdown" ]; then
    say "| $1 | $2 | $3 | $verdict |"
  else
    printf '%-60s %s\n    goal      %s\n    measured  %s\n' "$1" "$verdict" "$2" "$3"
  fi
}
verdict() { "$@" > /dev/null 2>&1 && echo 0 || echo 1; }
within() { while [ $# -gt 1 ]; do [ "$1" -le "$2" ] || return 1; shift 2; done; } # VALUE LIMIT ...
seconds() { awk -v ms="$1" 'BEGIN { if (ms >= 99999) print "never"; else printf "%.2f s", ms / 1000 }'; }
in_ms() { if [ "$1" -ge 99999 ]; then echo never; else echo "$1 ms"; fi; }
