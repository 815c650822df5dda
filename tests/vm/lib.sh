# The harness of the tests with NICs: a gateway in a virtual machine, real openconnect clients beside it on the host, and between them
# emulated NICs that the guest's dataplane drives by itself, under an emulated IOMMU.
#
#   guest: penstockd ── NIC ──┤ qemu ├── tap "eth0" ── host, namespace CLIENT: openconnect
#
# The guest runs Debian's kernel on this machine's own root file system, read-only: what it writes, it writes into $WORK. No KVM is
# needed. A test says which NICs it has (`nic`), boots, and talks to the guest with `guest COMMAND`; the words of tests/smoke/lib.sh
# mean the same here, with the gateway in the guest.
. "$(dirname "${BASH_SOURCE[0]}")/../smoke/lib.sh"
VM=${VM:-$BUILD/vm}
NICS=()     # qemu's words for them
KERNELS=    # those that the guest's kernel keeps
TAPS=()     # "TAP NETNS" of each
PATIENCE=40 # everything is emulated

vm_can_run() {
  local program said
  for program in qemu-system-x86_64 modprobe cpio; do
    command -v $program > /dev/null || skip "no $program here: scripts/deb-deps --install vm"
  done
  said=$("$TOP/tests/vm/prepare" "$VM" 2>&1) || skip "no kernel for the virtual machine: ${said##*$'\n'}"
}

# A NIC of the guest; the host's end of its cable is the interface eth0 (or what INTERFACE says) of a namespace, without addresses.
nic() { # MODEL NETNS [QUEUES]
  local n=${#TAPS[@]} model=$1 queues=${3:-1} more=
  local tap=vm$n-$$ backend=
  [ "$model" != virtio-net-pci ] || more=,iommu_platform=on,disable-legacy=on,rss=on
  [ "$queues" = 1 ] || { backend=,queues=$queues more+=,mq=on,vectors=$((2 * queues + 2)); }
  TAPS+=("$tap $2 ${INTERFACE:-eth0} $queues")
  NICS+=(-netdev "tap,id=n$n,ifname=$tap,script=no,downscript=no$backend"
    -device "$model,netdev=n$n,id=nic$n,addr=0x1$n,mac=52:54:00:00:00:1$n,romfile=$more")
}
kernel_nic() { KERNELS+=,$(nic_pci ${#TAPS[@]}); nic virtio-net-pci "$@"; } # NETNS
nic_pci() { say "0000:00:1$1.0"; }         # N: where the guest has its NIC number N
nic_mac() { say "52:54:00:00:00:1$1"; }    # N

# qemu opens the taps in a namespace of its own; then each goes where it belongs.
taps_make() {
  local tap netns interface queues
  add_netns "$NAME-q"
  while read -r tap netns interface queues; do
    if [ "$queues" = 1 ]; then queues=; else queues=multi_queue; fi
    # shellcheck disable=SC2086
    ip -n "$NAME-q" tuntap add dev "$tap" mode tap $queues
  done < <(printf '%s\n' "${TAPS[@]}")
}

taps_move() {
  local tap netns interface queues
  while read -r tap netns interface queues; do
    ip -n "$NAME-q" link set "$tap" netns "$netns" name "$interface"
    ip -n "$netns" link set "$interface" up
  done < <(printf '%s\n' "${TAPS[@]}")
}

boot() {
  local start=$SECONDS
  vm_can_run
  taps_make
  mkfifo "$WORK"/{guest,monitor}.{in,out}
  exec {guest_in}<> "$WORK/guest.in" {guest_out}<> "$WORK/guest.out" {monitor}<> "$WORK/monitor.in"
  start qemu ip netns exec "$NAME-q" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2560 \
    -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on,aw-bits=48 \
    -nodefaults -nographic -no-reboot -nic none -kernel "$VM/vmlinuz" -initrd "$VM/initrd" \
    -append "console=ttyS0 intel_iommu=on iommu=pt quiet panic=-1 kernels=$KERNELS scratch=$WORK guest=$TOP/tests/vm/guest" \
    -serial "file:$WORK/console.log" -chardev "pipe,id=agent,path=$WORK/guest" -serial chardev:agent \
    -chardev "pipe,id=monitor,path=$WORK/monitor" -mon chardev=monitor \
    -fsdev local,id=root,path=/,security_model=none,multidevs=remap,readonly=on -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -fsdev "local,id=scratch,path=$WORK,security_model=none" -device virtio-9p-pci,fsdev=scratch,mount_tag=scratch "${NICS[@]}"
  QEMU=$pid
  until IFS= read -r -t 1 -u "$guest_out" _; do
    alive "$QEMU" && [ $((SECONDS - start)) -lt 120 ] || fail "the virtual machine boots"
  done
  taps_move
  say "the virtual machine is up, after $((SECONDS - start)) s"
}

# Do something in the guest, as root.
guest() { # COMMAND...
  local token=$EPOCHREALTIME$RANDOM words=()
  say "$token $(base64 -w 0 <<< "$*")" >&"$guest_in"
  until [ "${words[0]-}" = "$token" ]; do # an answer that came too late is nobody's
    IFS=' ' read -r -t "${GUEST_PATIENCE:-60}" -a words -u "$guest_out" || { say "the guest does not answer"; return 1; }
  done
  base64 -d <<< "${words[2]-}"
  return "${words[1]}"
}

# The cable of NIC N is plugged in (on) or not (off).
cable() { say "set_link nic$1 $2" >&"$monitor"; } # N on|off

# --------------------------------------------------------------------------------------------------- the gateway in the guest

ctl() { guest "$BIN/penstockctl" -s /run/penstockctl.socket -n "$(printf '%q ' "$@")"; }

# As in tests/smoke/lib.sh, but it runs in the guest, whose sockets lie in its own memory.
configure() { # LISTEN_ADDRESS... < MORE
  write_config "$@"
  sed -i 's|^occtl-socket-file = .*|occtl-socket-file = /run/penstockctl.socket|' "$CONFIG"
}

start_gateway() { # (ignored)
  guest "setsid $BIN/penstockd -f -c $CONFIG >> $WORK/gateway.log 2>&1 & echo \$! > /run/gateway"
  wait_for 60 gateway_settled
  gateway_online
}

gateway_settled() { gateway_online || guest '[ ! -e /proc/$(cat /run/gateway) ]'; }

stop_gateway() {
  guest 'kill $(cat /run/gateway); for i in $(seq 300); do [ -e /proc/$(cat /run/gateway) ] || exit 0; sleep 0.1; done; false' ||
    fail "the gateway ends when told"
}

# The process is the guest's: what it said is what we know of it.
gateway_is_sound() {
  [ -e "$WORK/gateway.log" ] || return 0
  ! grep -vE "$MAY_LOG" "$WORK/gateway.log" | grep -E 'died of signal|does not stay alive'
}

# What came in is what went out, over all threads.
balanced() { ctl -j show dataplane | jq -e '."packets in" == ."packets out" + ."packets dropped"' > /dev/null; }
