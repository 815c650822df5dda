# Penstock. `make` builds into build/; `make help` lists the targets.
# Another tree for another build: make BUILD=build/asan SANITIZE=address,undefined
BUILD    ?= build
SANITIZE ?=
PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
BINDIR   ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/penstock
MANDIR   ?= $(PREFIX)/share/man
DOCDIR   ?= $(PREFIX)/share/doc/penstock
BASHDIR  ?= $(PREFIX)/share/bash-completion/completions
SYSCONFDIR ?= /etc
UNITDIR  ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
# Who the sample configuration makes of the processes that need no privilege.
RUN_AS_USER ?= nobody
RUN_AS_GROUP ?= nogroup
VERSION  := 0.1.0

PKG_CONFIG ?= pkg-config
OPT      ?= -O2
CFLAGS   ?= $(OPT) -g
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -I$(BUILD)/gen -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter \
	-fstack-protector-strong -fPIE -MMD -MP \
	-DPENSTOCK_VERSION='"$(VERSION)"' -DPENSTOCK_LIBEXECDIR='"$(LIBEXECDIR)"' \
	-DPENSTOCK_CONFDIR='"$(SYSCONFDIR)/penstock"'
BASE_LDFLAGS = -pie -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
BASE_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(SANITIZE),thread)
# rte_ring's other half is made of barriers, and of fences without atomics nothing is seen.
BASE_CFLAGS += -DRTE_USE_C11_MEM_MODEL -Wno-tsan
endif
BASE_LDFLAGS += -fsanitize=$(filter-out fuzzer-no-link,$(SANITIZE))
else
BASE_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# room -> sources, packages. A room is an archive without its main.c, so that tests link what the program runs.
ROOMS := proto secmod main worker ctl metrics dataplane
dir_proto := proto
dir_secmod := secmod
dir_main := control/main
dir_worker := control/worker
dir_ctl := control/ctl
dir_metrics := control/metrics
dir_dataplane := dataplane
pkgs_proto := msgpack libseccomp
pkgs_secmod := libcrypto libevent_core liboath p11-kit-1 jansson
pkgs_main := libevent_core libmnl
pkgs_worker := libssl libcrypto expat liblz4
pkgs_ctl := jansson libedit libqrencode libcrypto
pkgs_metrics := libevent_core libevent_extra
pkgs_dataplane := libdpdk libcrypto liblz4
libs_proto :=
libs_secmod := -lpam -lcrypt -lradcli -lpthread
libs_main := -lm
libs_worker := -lhttp_parser
libs_ctl := -lcrypt
libs_metrics :=
libs_dataplane := -lIPSec_MB -lrte_net_ring -lpthread -lm
# Debian ships the static ipsec-mb only; it is position dependent in places the linker accepts under PIE.

# program -> room, file with main()
PROGRAMS := penstockd penstock-secmod penstock-oidc penstock-gssapi penstock-worker penstock-metrics penstock-dataplane penstockctl penstock-passwd
room_penstockd := main
room_penstock-secmod := secmod
room_penstock-oidc := secmod
room_penstock-gssapi := secmod
room_penstock-worker := worker
room_penstock-metrics := metrics
room_penstock-dataplane := dataplane
room_penstockctl := ctl
room_penstock-passwd := ctl
main_penstockd := control/main/main.c
main_penstock-secmod := secmod/main.c
main_penstock-oidc := secmod/oidc_helper.c
main_penstock-gssapi := secmod/gssapi_helper.c
main_penstock-worker := control/worker/nursery.c
main_penstock-metrics := control/metrics/main.c
main_penstock-dataplane := dataplane/main.c
main_penstockctl := control/ctl/main.c
main_penstock-passwd := control/ctl/passwd.c
MAINS := $(foreach p,$(PROGRAMS),$(main_$(p)))
# What a program links instead of what its room does: the helpers keep these libraries out of the process that has the keys.
LIBS_penstock-oidc = $(shell $(PKG_CONFIG) --libs libcurl libcrypto jansson)
LIBS_penstock-gssapi = $(shell $(PKG_CONFIG) --libs mit-krb5-gssapi)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
sources_of = $(filter-out $(MAINS),$(wildcard $(dir_$(1))/*.c))
cflags_of = $(shell $(PKG_CONFIG) --cflags $(pkgs_$(1)) 2>/dev/null)
libs_of = $(shell $(PKG_CONFIG) --libs $(pkgs_$(1)) 2>/dev/null) $(libs_$(1))

# Short lines, one for each step; make V=1 prints the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

.PHONY: all
all: $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/penstockctl.bash ## build the programs into build/ (BUILD=, CC=, SANITIZE=address,undefined)

define ROOM
CFLAGS_$(1) := $$(call cflags_of,$(1))
LIBS_$(1) := $$(call libs_of,$(1))
$(BUILD)/$(1).a: $(call obj,$(call sources_of,$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
$(BUILD)/obj/$(dir_$(1))/%.o: $(dir_$(1))/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(BASE_CFLAGS) $$(CFLAGS_$(1)) $$(CFLAGS) -c -o $$@ $$<
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM,$(r))))
ifneq ($(SANITIZE),)
# DPDK's own headers read unaligned words where the CPU can.
CFLAGS_dataplane += -fno-sanitize=alignment
endif

# Where installed programs find each other and the configuration is compiled in: another PREFIX or SYSCONFDIR compiles it again.
PLACES = $(SBINDIR) $(BINDIR) $(LIBEXECDIR) $(SYSCONFDIR) $(RUN_AS_USER) $(RUN_AS_GROUP)
$(BUILD)/directories: FORCE
	@mkdir -p $(@D)
	@echo '$(PLACES)' | cmp -s - $@ || echo '$(PLACES)' > $@
$(call obj,control/main/supervise.c control/main/options.c control/ctl/passwd.c): $(BUILD)/directories
.PHONY: FORCE
FORCE:

define PROGRAM
$(BUILD)/$(1): $(call obj,$(main_$(1))) $(BUILD)/$(room_$(1)).a $(BUILD)/proto.a
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(or $$(LIBS_$(1)),$$(LIBS_$(room_$(1)))) $$(LIBS_proto)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))

# tests/unit/ROOM_NOUN.c is a cmocka program linked with its room; tests/fuzz/ROOM_NOUN.c a libFuzzer target likewise;
# tests/hostile/ROOM_NOUN.c and tests/bench/ROOM_NOUN.c are programs of their own.
room_of = $(firstword $(subst _, ,$(notdir $(1))))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_*.c))
HOSTILE_BINS := $(patsubst tests/hostile/%.c,$(BUILD)/hostile/%,$(wildcard tests/hostile/*_*.c))
BENCH_BINS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*_*.c))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_*.c))

define TESTBIN
$(BUILD)/$(1)/$(2): tests/$(1)/$(2).c $(BUILD)/$(call room_of,$(2)).a $(BUILD)/proto.a
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@)
	$$(Q)$$(CC) $$(BASE_CFLAGS) -Itests $$(CFLAGS_$(call room_of,$(2))) $$(CFLAGS) $$(BASE_LDFLAGS) $$(LDFLAGS) $(3) -MF $$@.d -o $$@ \
		$$(filter %.c %.a,$$^) $$(LIBS_$(call room_of,$(2))) $$(LIBS_proto) $(4)
endef
$(foreach t,$(notdir $(UNIT_BINS)),$(eval $(call TESTBIN,unit,$(t),,-lcmocka)))
$(foreach t,$(notdir $(HOSTILE_BINS)),$(eval $(call TESTBIN,hostile,$(t),,-lcmocka)))
$(foreach t,$(notdir $(BENCH_BINS)),$(eval $(call TESTBIN,bench,$(t),,)))
$(foreach t,$(notdir $(FUZZ_BINS)),$(eval $(call TESTBIN,fuzz,$(t),-fsanitize=fuzzer,)))

# Many clients in one process: it needs nothing of ours.
SWARM := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/bench/swarm/*.c))
$(BUILD)/obj/tests/bench/swarm/%.o: tests/bench/swarm/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS_worker) $(CFLAGS) -c -o $@ $<
# Likewise one process of strangers.
FLOOD := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/bench/flood/*.c))
$(BUILD)/obj/tests/bench/flood/%.o: tests/bench/flood/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS_worker) $(CFLAGS) -c -o $@ $<
$(BUILD)/bench/flood: $(FLOOD)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^ -lssl -lcrypto
$(BUILD)/bench/swarm: $(SWARM)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^ -lssl -lcrypto

# The only ones of proto/ that the programs link it for.
$(BUILD)/unit/proto_compress $(BUILD)/fuzz/proto_compress: LIBS_proto += -llz4

# Handshakes of real clients, with the worker's signer.
$(BUILD)/unit/secmod_proof $(BUILD)/hostile/secmod_worker: LIBS_secmod += -lssl
$(BUILD)/unit/secmod_proof $(BUILD)/hostile/secmod_worker: $(BUILD)/worker.a

# These run the real program; one of them with a PAM module that behaves badly.
$(BUILD)/unit/secmod_login $(BUILD)/unit/secmod_pam $(BUILD)/unit/secmod_radius $(BUILD)/unit/secmod_signing $(BUILD)/unit/secmod_token: | $(BUILD)/penstock-secmod
$(BUILD)/unit/secmod_pam: | $(BUILD)/unit/pam_evil.so
$(BUILD)/unit/secmod_tokens: | $(BUILD)/penstock-secmod $(BUILD)/penstock-oidc $(BUILD)/penstock-gssapi
$(BUILD)/unit/secmod_plain: | $(BUILD)/penstock-secmod $(BUILD)/unit/crypt_count.so
$(BUILD)/unit/ctl_passwdfile: | $(BUILD)/penstock-passwd
$(BUILD)/unit/pam_evil.so: tests/unit/pamevil.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter $(CFLAGS) -fPIC -shared -o $@ $< -lpam
$(BUILD)/unit/crypt_count.so: tests/unit/cryptcount.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -Wall -Wextra $(CFLAGS) -fPIC -shared -o $@ $< -ldl

$(BUILD)/unit/%_fault.so: tests/unit/%fault.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -Wall -Wextra $(CFLAGS) -fPIC -shared -o $@ $< -ldl

.PHONY: unit-bins smoke-bins hostile-bins bench-bins fuzz-bins
unit-bins: $(UNIT_BINS)
hostile-bins: $(HOSTILE_BINS)
# What smoke tests use beside the programs.
smoke-bins: $(addprefix $(BUILD)/,bench/worker_storm bench/swarm bench/flood unit/memory_fault.so unit/disk_fault.so unit/clock_fault.so)
bench-bins: $(BENCH_BINS) $(BUILD)/bench/swarm $(BUILD)/bench/flood
# Fuzz targets are clang's: make fuzz calls make CC=clang BUILD=$(BUILD)/fz SANITIZE=fuzzer-no-link,address,undefined fuzz-bins
fuzz-bins: $(FUZZ_BINS)

MESSAGES_FROM := proto/states.h proto/limits.h proto/messages.def
doc/messages.md: scripts/gen-messages $(MESSAGES_FROM)
	scripts/gen-messages $(MESSAGES_FROM) >$@.new
	mv $@.new $@
doc/metrics.md: scripts/gen-metrics proto/metrics.def
	scripts/gen-metrics proto/metrics.def >$@.new
	mv $@.new $@
doc/sandbox.md: scripts/gen-sandbox proto/confine.def proto/seccomp.def
	scripts/gen-sandbox proto/confine.def proto/seccomp.def >$@.new
	mv $@.new $@

# ------------------------------------------------------------------------------------------------------------- what to do
.PHONY: help demo test test-vm faults-memory check unit hostile smoke smoke-sanitized valgrind fuzz asan lint soak format bench attacks faults links docs install deb deb-deps clean
help: ## list the targets
	@sed -n 's/^\([a-z -]*\):.* ## /\1: /p' Makefile | awk -F': ' '{ printf "  make %-38s %s\n", $$1, $$2 }'

demo: ## install, build and show the gateway at work with a real client (as root)
	./scripts/demo

test: ## install, build and run everything, as CI does (as root)
	./scripts/test

check: ## all tests, without installing packages (as root)
	BUILD=$(BUILD) ./scripts/run-tests

unit smoke fuzz asan lint: ## one suite of tests; make fuzz T=600 for ten minutes a target, and what they reach
	T=$(T) BUILD=$(BUILD) ./scripts/run-tests $@

hostile: ## attacks by processes that were taken over, plain and under sanitizers, and what each costs the others (as root)
	ATTACKS=1 BUILD=$(BUILD) ./scripts/run-tests hostile 'asan/hostile-*'

valgrind: ## unit tests under memcheck, for uninitialised memory (the package valgrind)
	BUILD=$(BUILD) ./scripts/run-tests valgrind

smoke-sanitized: ## every smoke test under sanitizers; make smoke-sanitized SANITIZE=thread (as root)
	env -u MAKEFLAGS -u MFLAGS BUILD=$(BUILD) SANITIZE=$(SANITIZE) ./scripts/run-tests sanitized

test-vm: ## test NICs of the dataplane's own, with real clients, in an emulated machine (as root)
	BUILD=$(BUILD) ./scripts/run-tests vm

soak: all $(BUILD)/bench/swarm ## hundreds of clients do at random what clients do; make soak T=10m CLIENTS=300 (as root)
	BUILD=$(BUILD) tests/smoke/churn.sh $(or $(T),1m)

faults-memory: all $(BUILD)/unit/memory_fault.so $(BUILD)/bench/worker_storm ## fail each of the first thousand allocations of every program, for hours (as root; FAULTS_OF=penstockd)
	BUILD=$(BUILD) FAULTS=$(or $(FAULTS),all) FAULTS_OF="$(FAULTS_OF)" tests/smoke/no-memory.sh

format: ## format all C files
	find proto secmod control dataplane tests scripts -name '*.[ch]' | xargs clang-format -i

# Cores, memory and clients are the machine's: figures are ratios of the same run, see doc/performance.md.
bench: all bench-bins ## measure the dataplane alone, then the whole beside ocserv; rewrites the figures of doc/performance.md (as root)
	BUILD=$(BUILD) ./scripts/bench

# Some four minutes for each kind of port; LINKS= names kinds and faults.
links: all ## print what becomes of clients when links go and come, and clients move, beside the goals (as root; LINKS="--outer auto roam")
	BUILD=$(BUILD) timeout -k 30 1200 tests/bench/links.sh $(LINKS)

# Some four minutes, and never more than fifteen; FAULTS= names some of them, as "worker dataplane".
faults: all smoke-bins ## print what becomes of 200 sessions when something breaks, beside the goals (as root)
	BUILD=$(BUILD) timeout -k 30 900 tests/bench/faults.sh $(FAULTS)

# Some five minutes with T=5; ATTACKS= names some of them, as "hello half-hello".
attacks: all $(BUILD)/bench/worker_storm $(BUILD)/bench/flood ## measure what floods of strangers cost the others, and whether users can be guessed (as root; T=5 seconds each)
	BUILD=$(BUILD) T=$(or $(T),5) tests/bench/attacks.sh $(ATTACKS)
	BUILD=$(BUILD) tests/bench/enumeration.sh $(or $(TRIES),10000)

docs: doc/messages.md doc/metrics.md doc/sandbox.md ## write what is generated from the tables

MANPAGES := $(patsubst doc/man/%.scd,$(BUILD)/man/%,$(wildcard doc/man/*.scd)) $(BUILD)/man/penstock.conf.5 $(BUILD)/man/penstockctl.8
.PHONY: man
man: $(MANPAGES) ## write the manual pages into build/man/
$(BUILD)/man/%: doc/man/%.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

# penstock.conf(5): its options come from the table.
$(BUILD)/gen/option-manual: scripts/option-manual.c control/main/config_table.c control/main/nearest.c control/main/config.def control/worker/endpoint.def
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) $(BASE_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c,$^)
$(BUILD)/man/%.scd: doc/man/%.scd.in $(BUILD)/gen/option-manual
	@mkdir -p $(@D)
	$(BUILD)/gen/option-manual < $< > $@
$(BUILD)/man/penstock.conf.5: $(BUILD)/man/penstock.conf.5.scd
	scdoc < $< > $@

# penstockctl(8) and what completes it in bash: its commands come from their table.
$(BUILD)/gen/command-table: scripts/command-table.c control/ctl/commands.c control/ctl/words.c proto/commands.def control/ctl/options.def
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS_ctl) $(CFLAGS) $(BASE_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c,$^)
$(BUILD)/man/penstockctl.8.scd: doc/man/penstockctl.8.scd.in $(BUILD)/gen/command-table
	@mkdir -p $(@D)
	$(BUILD)/gen/command-table manual < $< > $@
$(BUILD)/man/penstockctl.8: $(BUILD)/man/penstockctl.8.scd
	scdoc < $< > $@
$(BUILD)/penstockctl.bash: $(BUILD)/gen/command-table
	$(call say,GEN,$@)
	$(Q)$< bash > $@

LIBEXEC_PROGRAMS := penstock-secmod penstock-oidc penstock-gssapi penstock-worker penstock-metrics penstock-dataplane
# The sample, with the directory that it is for. An operator's own is never touched.
$(BUILD)/penstock.conf: doc/examples/penstock.conf $(BUILD)/directories
	sed -e 's,/etc/penstock,$(SYSCONFDIR)/penstock,g' -e 's,^run-as-user = .*,run-as-user = $(RUN_AS_USER),' \
		-e 's,^run-as-group = .*,run-as-group = $(RUN_AS_GROUP),' < $< > $@
$(BUILD)/penstock.service: scripts/systemd/penstock.service.in $(BUILD)/directories
	sed -e 's,@SBINDIR@,$(SBINDIR),' -e 's,@BINDIR@,$(BINDIR),' -e 's,@SYSCONFDIR@,$(SYSCONFDIR),' < $< > $@

INSTALL_DIRS = $(SBINDIR) $(BINDIR) $(LIBEXECDIR) $(MANDIR)/man5 $(MANDIR)/man8 $(DOCDIR) $(BASHDIR) $(SYSCONFDIR)/penstock $(UNITDIR) \
	$(SYSUSERSDIR) $(TMPFILESDIR)
install: all $(MANPAGES) $(BUILD)/penstock.conf $(BUILD)/penstock.service $(BUILD)/penstockctl.bash ## install programs, man pages and a first configuration (DESTDIR, PREFIX, SYSCONFDIR)
	install -d $(INSTALL_DIRS:%=$(DESTDIR)%)
	install -m 755 $(BUILD)/penstockd $(DESTDIR)$(SBINDIR)/
	install -m 755 $(BUILD)/penstockctl $(BUILD)/penstock-passwd $(DESTDIR)$(BINDIR)/
	install -m 755 $(LIBEXEC_PROGRAMS:%=$(BUILD)/%) $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 $(filter %.5,$(MANPAGES)) $(DESTDIR)$(MANDIR)/man5/
	install -m 644 $(filter %.8,$(MANPAGES)) $(DESTDIR)$(MANDIR)/man8/
	install -m 644 $(BUILD)/penstockctl.bash $(DESTDIR)$(BASHDIR)/penstockctl
	install -m 644 $(BUILD)/penstock.conf $(DESTDIR)$(DOCDIR)/
	install -m 644 $(BUILD)/penstock.service $(DESTDIR)$(UNITDIR)/
	install -m 644 scripts/systemd/penstock.sysusers $(DESTDIR)$(SYSUSERSDIR)/penstock.conf
	install -m 644 scripts/systemd/penstock.tmpfiles $(DESTDIR)$(TMPFILESDIR)/penstock.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/penstock/penstock.conf || \
		install -m 600 $(BUILD)/penstock.conf $(DESTDIR)$(SYSCONFDIR)/penstock/

# debian/ stands in scripts/, where this puts it together: dpkg-buildpackage wants it beside the Makefile.
DEB_TREE = $(BUILD)/deb/penstock-$(VERSION)
deb: ## build the Debian packages penstock and penstock-doc into build/deb/
	rm -rf $(BUILD)/deb
	mkdir -p $(DEB_TREE)
	tar -c --exclude='./build*' --exclude=./.git . | tar -x -C $(DEB_TREE)
	cp -r scripts/debian $(DEB_TREE)/debian
	sed "s/@BUILD_DEPENDS@/$$(scripts/deb-deps build | paste -sd, | sed 's/,/, /g')/" scripts/debian/control.in > $(DEB_TREE)/debian/control
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(date -R -d @$$(git log -1 --format=%ct 2>/dev/null || date +%s))/" \
		scripts/debian/changelog.in > $(DEB_TREE)/debian/changelog
	rm $(DEB_TREE)/debian/*.in
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL -u BUILD -u DESTDIR dpkg-buildpackage -b -us -uc

deb-deps: ## install the packages of Debian 12 that building and testing take (as root)
	./scripts/deb-deps --install

clean: ## remove the build tree
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
