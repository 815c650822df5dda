#!/usr/bin/env bash
# Groups: offered by the form, chosen by openconnect's --authgroup or by the URL, kept in the session, and refused to who is in none such.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── passwd: anna in staff and vpn, bert in none; others: otto, of another virtual host
. "$(dirname "$0")/lib.sh"

network
make_certificate
add_user bert bert-secret > /dev/null
printf 'anna-secret\n' | "$BIN/penstock-passwd" -c "$WORK/passwd" -g staff,vpn anna
mkdir "$WORK/groups"
echo 'keepalive = 1234' > "$WORK/groups/vpn"
printf 'otto-secret\n' | "$BIN/penstock-passwd" -c "$WORK/others" -g night,day otto
gateway << CONF
select-group = staff[The staff & friends]
select-group = guests
default-select-group = [none]
auto-select-group = true
select-group-by-url = true
pre-login-banner = "Staff only"
config-per-group = $WORK/groups
max-ban-score = 0
[vhost:other.example]
auth = "plain[passwd=$WORK/others]"
select-group = night[The night shift]
select-group-by-url = false
CONF

tls_open
http_post / "$(init_xml)" > "$WORK/form"
tls_close
expect "the form offers what the configuration names, by its labels" has "$WORK/form" '<option>The staff &amp; friends</option>'
expect "and what the password file knows" has "$WORK/form" '<option>vpn</option>'
expect "each once" same "$(grep -c '<option' "$WORK/form")" 4
expect "and no group, which is chosen" has "$WORK/form" '<option selected="true">\[none\]</option>'
expect "below the banner" has "$WORK/form" '<banner>Staff only</banner>'

tls_open -servername other.example
http_post / "$(init_xml)" > "$WORK/form"
tls_close
expect "another virtual host offers its own" has "$WORK/form" '<option>The night shift</option>'
expect "and what its file knows" has "$WORK/form" '<option>day</option>'
expect "and nobody else's" never has "$WORK/form" 'staff|guests|vpn<'

# Group of the session that a login leads to.
group_of() { # USER OPTION...
  local user=$1
  shift
  [ -n "$(HOST=${HOST:-192.0.2.1} get_cookie "$user" "$user-secret" "$@")" ] || { say refused; return; }
  ctl -j show sessions all | jq -r --arg u "$user" '[.[] | select(.Username == $u)] | sort_by(.raw_created // .Created) | last | .Groupname'
  ctl terminate user "$user" > /dev/null
}
expect "a group by its label" same "$(group_of anna --authgroup 'The staff & friends')" staff
expect "one that only the file knows" same "$(group_of anna --authgroup vpn)" vpn
expect "no group is the first of hers" same "$(group_of anna --authgroup '[none]')" staff
expect "a group that she is not in" same "$(group_of anna --authgroup guests)" refused
expect "bert is in none" same "$(group_of bert --authgroup vpn)" refused
expect "and needs none" matches "$(group_of bert --authgroup '[none]')" '^(\(none\))?$'
expect "a group by the URL" same "$(HOST=192.0.2.1/vpn group_of anna)" vpn

login tunnel anna --authgroup vpn
expect "the session has the group" same "$(user_field anna Groupname)" vpn
expect "and the group's configuration" same "$(ctl -j show user anna | jq -r '.[0].KeepAlive')" 1234
