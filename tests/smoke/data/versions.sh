# Programs of the test's own, to be replaced as a package does it: another file under the same name. VERSION is the one that is built,
# NEXT another. Sourced after lib.sh.
VERSION=$("$BIN/penstockd" --version | cut -d' ' -f2)
NEXT=9${VERSION#?} # its end may be a string of its own, which the linker has put there
BUILT=$BIN BIN=$WORK/bin

programs() { # VERSION
  local p
  mkdir -p "$BIN"
  for p in penstockd penstockctl penstock-passwd penstock-secmod penstock-oidc penstock-gssapi penstock-worker penstock-dataplane; do
    sed "s/${VERSION//./\\.}/$1/g" "$BUILT/$p" > "$BIN/$p.new"
    chmod 755 "$BIN/$p.new"
    mv "$BIN/$p.new" "$BIN/$p"
  done
}
version() { ctl -j show status | jq -r .Version; }
upgraded() { same "$(version)" "$1"; }
secmod_is() { same "$(ctl -j show status | jq -r '."Sec-mod version"')" "$1" && gateway_online; }
