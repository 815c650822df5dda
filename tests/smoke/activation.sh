#!/usr/bin/env bash
# Sockets that somebody else has opened, as systemd does: clients wait at them before the gateway is there, and after it has gone.
#
#   client 192.0.2.2 ── 192.0.2.1 holder of sockets ── fork, exec ── penstockd
. "$(dirname "$0")/lib.sh"
MAY_END=yes
MAY_LOG='died of signal 9'

# Opens sockets and keeps them, runs a program with them whenever a line comes, and says how it ended.
cat > "$WORK/holder" << 'PERL'
use strict; use Socket qw(:all); use Fcntl;
my ($fifo, $kinds, @program) = @ARGV;
my (@sockets, $n);
for (split /,/, $kinds) {
  my ($type, $host, $port) = /^(tcp|udp|file)-(.*)-(\d+)$/ or die "what is $_?";
  my $family = $host =~ /:/ ? AF_INET6 : AF_INET;
  if ($type eq 'file') { open my $file, '<', $host or die; push @sockets, $file; next }
  socket(my $s, $family, $type eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM, 0) or die $!;
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) if $type eq 'tcp';
  setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 0) if $family == AF_INET6;
  my $ip = inet_pton($family, $host);
  bind($s, $family == AF_INET6 ? pack_sockaddr_in6($port, $ip) : pack_sockaddr_in($port, $ip)) or die $!;
  listen($s, 64) or die $! if $type eq 'tcp';
  push @sockets, $s;
}
$| = 1; print "open\n";
open my $in, '+<', $fifo or die;
while (<$in>) {
  my $child = fork;
  if ($child) { print "started $child\n"; waitpid $child, 0; print "ended $?\n"; next }
  POSIX::dup2(fileno $_, 100 + $n++) for @sockets;
  POSIX::dup2(100 + $_, 3 + $_), POSIX::close(100 + $_) for 0 .. $#sockets;
  open STDERR, '>>', "$ENV{WORK}/gateway.log"; open STDOUT, '>&', \*STDERR;
  @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, scalar @sockets, 'a:b');
  exec @program; die $!;
}
PERL
sed -i '1i use POSIX ();' "$WORK/holder"
hold() { # KIND-ADDRESS-PORT,...
  rm -f "$WORK/fifo" "$WORK/holder.log"
  mkfifo "$WORK/fifo"
  WORK=$WORK start holder ip netns exec "$SERVER" perl "$WORK/holder" "$WORK/fifo" "$1" "$BIN/penstockd" -f -c "$CONFIG"
  holder=$pid
  wait_for 5 has "$WORK/holder.log" open || fail "the sockets are open"
}
run() { starts=$(grep -c started "$WORK/holder.log" || :); echo > "$WORK/fifo"; wait_for 5 runs; GATEWAY=$(sed -n 's/^started //p' "$WORK/holder.log" | tail -n 1); }
runs() { more "$(grep -c started "$WORK/holder.log")" "$starts"; }
another_runs() { matches "$(pid_of 'Dataplane PID')" '^[1-9]' && differ "$(pid_of 'Dataplane PID')" "$dead" && gateway_online; }
refused() { ! in_ns "$CLIENT" socat -u OPEN:/dev/null "TCP:192.0.2.1:443,connect-timeout=2" 2>/dev/null; }
waits() { matches "$(in_ns "$SERVER" ss -Htn state established 'sport = :443' | wc -l)" '^[1-9]'; }

network
make_certificate
{ add_user anna anna-secret; add_user bert bert-secret; } > /dev/null
write_config < /dev/null
sed -i 's/^tcp-port.*/tcp-port = 4443/' "$CONFIG"
hold tcp-::-443,udp-::-443
start_client early "$CLIENT" anna anna-secret 192.0.2.1
early=$pid
soon "a client comes before there is a gateway" waits
run
wait_for 20 client_settled early "$early"
expect "and is served" client_up early
soon "DTLS by a socket for both families has IPv4's addresses" user_has anna Channel DTLS
expect "the client is known by its own" user_has anna 'Remote IP' '^192\.0\.2\.2$'
HOST='[2001:db8::1]' INTERFACE=tun1 login six bert
soon "over IPv6 likewise" user_has bert Channel DTLS
expect "nothing is opened beside these" same "$(in_ns "$SERVER" ss -Hnlt | awk '{ print $4 }' | sort -u | tr '\n' ' ')" '*:443 '
expect "packets cross" pings -I tun0 $INSIDE
stop "${client[six]}"
stop "$early"
soon "they leave" nobody

expect "another penstockd takes over" ctl upgrade
dead=$(pid_of 'Dataplane PID')
kill -KILL "$dead"
soon "the next dataplane has these sockets too" another_runs
login again anna
soon "and clients their DTLS" user_has anna Channel DTLS
leave again
soon "they leave" nobody
expect "the gateway refuses" ctl maintenance on
expect "at another's socket as well" refused
expect "and stops so" ctl stop now
soon "in order" has "$WORK/holder.log" 'ended 0'
start_client next "$CLIENT" anna anna-secret 192.0.2.1
next=$pid
soon "the next client waits again" waits
run
wait_for 20 client_settled next "$next"
expect "and is served" client_up next
stop "$next"
stop "$GATEWAY"
stop "$holder"

hold tcp-192.0.2.1-443,udp-192.0.2.1-444
run
soon "a UDP port that clients would not be told of is refused" has "$WORK/gateway.log" 'udp-port is 443, but systemd has opened 192\.0\.2\.1:444'
stop "$holder"
hold tcp-192.0.2.1-443,file-/dev/null-0
run
soon "so is what is no socket" has "$WORK/gateway.log" 'LISTEN_FDS: descriptor 4 is no socket'
