# Intelligent River middleware. `make run` processes real data, `make test` runs the tests; `make help` lists the rest.
#
# MODE=release (default) | asan (ASan+UBSan) | tsan | fuzz (asan for libFuzzer) | check; each builds below out/MODE.
# Warnings are errors in the builds for tests and check, but not in a user's build: another compiler or library may warn
# about more.
MODE ?= release

# Variables on the command line are checked before anything is done: unknown names and wrong values are refused. A
# machine without Python makes this check after Python is installed (target programs).
QUOTED_OVERRIDES = '$(subst ','\'',$(MAKEOVERRIDES))'
ifneq ($(MAKEOVERRIDES),)
ifeq ($(MAKELEVEL),0)
FAULT := $(shell ! command -v python3 >/dev/null || python3 tools/variables.py "$(MAKECMDGOALS)" $(QUOTED_OVERRIDES))
$(if $(FAULT),$(error $(FAULT)))
endif
endif

BUILD := out/$(MODE)
CC := $(if $(filter fuzz,$(MODE)),clang,gcc)
PACKAGES := librabbitmq libmongoc-1.0 serd-0 libevent_core libevent_extra libevent_pthreads jansson \
            libcbor libcurl libmosquitto sqlite3 uuid nettle inih zlib openssl

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wformat=2 -Wno-format-truncation -Wundef -Wvla
# Protections against memory faults in release builds; tools/hardening.py checks that the programs have them.
HARDENING_x86_64 := -fcf-protection=full
HARDENING_aarch64 := -mbranch-protection=standard
HARDENING := -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
             $(HARDENING_$(shell uname -m))
FLAGS_release := -O2 -g -DNDEBUG $(HARDENING)
FLAGS_check := $(FLAGS_release) -Werror
FLAGS_asan := -O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_fuzz := -O1 -g -Werror -Wno-unknown-warning-option -Wno-format-nonliteral -Wno-format-zero-length -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -Werror -fsanitize=thread -fno-omit-frame-pointer
# Only ir-feed uses this library, so only ir-feed is linked to it.
ZONES := glib-2.0
VERSION := $(shell cat VERSION)
BASE_CFLAGS := -std=c17 -D_GNU_SOURCE -DIR_VERSION='"$(VERSION)"' -I. \
               $(shell pkg-config --cflags $(PACKAGES) $(ZONES) 2>/dev/null)
# CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are the caller's, from the command line or the environment. They add to ours, and
# come last so that they prevail. Only CPPFLAGS come first: Debian's also define _FORTIFY_SOURCE, and our stronger value
# must override it.
COMPILE = $(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(WARNINGS) $(FLAGS_$(MODE)) -pthread -MMD -MP $(CFLAGS)
LINKING_release := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
LINKING_check := $(LINKING_release)
LINK = $(CC) $(FLAGS_$(MODE)) $(LINKING_$(MODE)) -pthread $(CFLAGS) $(LDFLAGS)
LIBRARIES := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm \
             -Wl,--push-state,--as-needed $(shell pkg-config --libs $(ZONES) 2>/dev/null) -Wl,--pop-state

# Uses all cores, unless -j is given.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
SUBMAKE = $(MAKE) --no-print-directory

# A main program is FOLDER/main_NAME.c, which becomes ir-NAME; everything else is the library.
ROOMS := ingest worker tap loadgen stations feed send store broker annotation observation http common
FOLDERS := $(sort $(patsubst %/,%,$(dir $(wildcard $(foreach room,$(ROOMS),$(room)/*.h $(room)/*/*.[ch] $(room)/*/*/*.[ch])))))
MAINS := $(wildcard $(addsuffix /main_*.c,$(FOLDERS)))
SOURCES := $(filter-out $(MAINS),$(wildcard $(addsuffix /*.c,$(FOLDERS))))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libir.a
PROGRAMS := $(foreach m,$(MAINS),$(BUILD)/ir-$(patsubst main_%,%,$(basename $(notdir $(m)))))
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)
# Helpers for several unit tests. One replaces malloc, so only tests that request it are linked with it.
UNIT_HELPERS := $(filter-out $(UNIT_SOURCES),$(wildcard tests/unit/*.c))
ALLOC_TESTS := $(shell grep -lsE 'failing_(alloc|source)\.h' $(UNIT_SOURCES))
SOURCE_TESTS := $(shell grep -ls unit/sources.h $(UNIT_SOURCES))
MEMORY_TESTS := $(shell grep -ls unit/memory_transport.h $(UNIT_SOURCES))
# Prints all metrics, for the reference.
PRINT_METRICS := $(BUILD)/packaging/print_metrics
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/bench_*.c))
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)
# libFuzzer brings its own main(); driver.c provides one when libFuzzer is not used.
FUZZ_HELPERS := $(BUILD)/tests/fuzz/bound.o $(BUILD)/tests/fuzz/pack.o $(if $(filter fuzz,$(MODE)),,$(BUILD)/tests/fuzz/driver.o)

.PHONY: build unit fuzzers benches
build: $(PROGRAMS)
unit: $(UNIT_TESTS) $(PRINT_METRICS)
fuzzers: $(FUZZERS)
benches: $(BENCHES)

.SECONDARY:
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c $< -o $@

# The version is compiled into this file.
$(BUILD)/common/settings.o $(BUILD)/common/settings_print.o $(BUILD)/loadgen/summary.o: VERSION

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	ar qcs $@ $^

define program
$(BUILD)/ir-$(patsubst main_%,%,$(basename $(notdir $(1)))): $(BUILD)/$(1:.c=.o) $(LIBRARY)
	$(LINK) $$^ $(LIBRARIES) $(LDLIBS) -o $$@
endef
$(foreach m,$(MAINS),$(eval $(call program,$(m))))

$(ALLOC_TESTS:tests/unit/%.c=$(BUILD)/tests/%): $(BUILD)/tests/unit/failing_alloc.o
$(SOURCE_TESTS:tests/unit/%.c=$(BUILD)/tests/%): $(BUILD)/tests/unit/sources.o
$(MEMORY_TESTS:tests/unit/%.c=$(BUILD)/tests/%): $(BUILD)/tests/unit/memory_transport.o
$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(BUILD)/tests/unit/filter.o $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) $(filter %.o,$^) $(LIBRARY) $(LIBRARIES) $(LDLIBS) -lcmocka -ldl -o $@

$(BUILD)/bench/bench_%: $(BUILD)/bench/bench_%.o $(LIBRARY)
	$(LINK) $^ $(LIBRARIES) $(LDLIBS) -o $@

$(PRINT_METRICS): $(PRINT_METRICS).o $(LIBRARY)
	$(LINK) $^ $(LIBRARIES) $(LDLIBS) -o $@

$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_HELPERS) $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer) $^ $(LIBRARIES) $(LDLIBS) -o $@

# ---- running the pipeline ----

# Variables that these targets take from the command line or the environment; tools/variables.py defines their values.
FORMATS ?= jsonld,senml
export BROKERS GATEWAYS WORKERS DOCUMENTS GRAPH FORMATS VIA REPEAT RATE KEEP MOTES DURATION PLATFORM TOPOLOGY PROFILE MESSAGES
export REGISTRY DATA FRESH LISTEN FILE PACE TO COPIES FROM STORE
PLATFORMS ?=
# Platforms are the folders with a recipe. If a platform needs packages, they are the group of tools/install of its name.
PLATFORM_NAMES := $(patsubst platforms/%/recipe.py,%,$(wildcard platforms/*/recipe.py))
PLATFORM_GROUPS := $(patsubst platforms/%/host-packages,%,$(wildcard platforms/*/host-packages))
comma := ,
empty :=
platform_groups = $(filter $(PLATFORM_GROUPS),$(subst :, ,$(subst $(comma), ,$(1))))

.PHONY: run up down registry load find-max monitor backup restore programs up-programs
run: programs
	@exec python3 tools/run.py
up: up-programs
	@exec python3 tools/up.py up
down:
	@exec python3 tools/up.py down
registry:
	@exec python3 tools/up.py registry
backup restore:
	@exec python3 tools/keep.py $@
load:
	@exec python3 tools/load.py
# Finds the highest rate that the stack sustains; takes four to eight minutes.
find-max:
	@exec python3 tools/load.py find-max
# Starts Prometheus for the running river.
monitor:
	@tools/install monitoring
	@exec python3 tools/monitor.py
# Tools that the commands printed by `make up` need.
up-programs: programs
	@tools/install paste
# If two of these targets start at the same time, one waits until the other has built.
programs:
	@! command -v python3 >/dev/null || python3 tools/run.py check
	@tools/install build run $(filter-out sqlite nquads null,$(DOCUMENTS) $(GRAPH)) \
	    $(if $(PLATFORM),platforms $(call platform_groups,$(PLATFORM))) $(if $(filter split,$(TOPOLOGY)),mongodb fuseki)
	@fault=$$(python3 tools/variables.py "$(MAKECMDGOALS)" $(QUOTED_OVERRIDES)) || { echo "make: $$fault" >&2; exit 2; }
	@mkdir -p out
	+@flock out/build.lock $(SUBMAKE) -s MODE=release build

# ---- measuring ----

# Compares platforms and tunings: interleaved samples, with proofs. PLATFORMS="lxc …" PROFILES= EXPERIMENTS=quick
# REPEATS= MINUTES= SEED=
EXPERIMENTS ?= quick
.PHONY: bench bench-programs
bench: bench-programs
	@bench/ir-bench run $(EXPERIMENTS) --platforms "$(PLATFORMS)" --profiles "$(or $(PROFILES),default)" \
	    $(if $(MINUTES),--minutes $(MINUTES)) $(if $(REPEATS),--repeats $(REPEATS)) $(if $(SEED),--seed $(SEED))
# Repeats one run ten times, three of them beside an unrelated load, and reports how often its proofs hold. Takes over
# three hours.
.PHONY: bench-ten
bench-ten: bench-programs
	@bench/ir-bench repeat $(EXPERIMENTS) --platforms "$(PLATFORMS)" --runs $(or $(RUNS),10) \
	    $(if $(MINUTES),--minutes $(MINUTES))
bench-programs:
	@tools/install build run bench platforms $(if $(PLATFORMS),$(call platform_groups,$(PLATFORMS)),lxc)
	+@$(SUBMAKE) -s MODE=release build benches

# Builds the compiled workers for the experiment peers (bench/peers/README.md).
out/peers/java.ok: bench/peers/java/pom.xml $(wildcard bench/peers/java/src/main/java/river/*.java)
	@rm -rf out/peers/java
	@mvn -B -q -f bench/peers/java package
	@touch $@
out/peers/benthos.ok: $(wildcard bench/peers/benthos/*)
	@mkdir -p $(@D)
	@cd bench/peers/benthos && go build -o ../../../out/peers/river-benthos .
	@touch $@

# ---- tests ----

# Unit tests of code that threads share; they also run under the thread sanitizer.
THREADED := stage doubts producer tracker histogram endpoint outlet decoder transport

.PHONY: test test-slow test-programs
test: test-programs
	@python3 tools/test.py

# Unit tests alone; they need no server.
.PHONY: test-unit
test-unit:
	@tools/install build unit
	+@$(SUBMAKE) -s MODE=asan unit
	+@$(SUBMAKE) -s MODE=tsan tsan-unit
	@python3 tools/test.py --unit

# Runs the whole stack under load and injects faults: processes are killed, connections cut, disks filled, bad messages
# sent. tests/faults/README.md explains the settings, which come from the command line or the environment.
export SEED OBSERVATIONS FAULTS MINUTES KINDS LONGEST PATIENCE COMPARE
.PHONY: faults
faults:
	@tools/install build run mongodb fuseki faults
	+@$(SUBMAKE) -s MODE=release build
	@IR_BUILD=out/release PYTHONPATH=tests exec /usr/bin/python3 -m faults

# Half an hour of steady load at half of the machine's capacity; checks that memory and descriptors do not grow.
# bench/soak.py explains the settings.
.PHONY: soak
soak:
	@exec /usr/bin/python3 bench/soak.py

# `make run` and `make test` on each Debian release, in roots made from the host's apt sources. RELEASE selects one
# release, STEPS the steps: run run-servers test by default; kills and upgrade on request.
RELEASE ?=
STEPS ?=
.PHONY: test-distributions
test-distributions:
	@tools/install distributions
	@python3 tests/distributions/run.py $(RELEASE:%=--release %) $(STEPS:%=--step %)

# Runs the README's commands as an ordinary user with sudo, in a fresh root of each release. Takes half an hour.
.PHONY: test-newcomer
test-newcomer:
	@tools/install distributions
	@python3 tests/distributions/run.py $(RELEASE:%=--release %) --step newcomer

# Slow tests, minutes to an hour: workers killed twenty times at random moments, long runs. TESTS selects tests, like
# pytest's -k.
TESTS ?=
test-slow: test-programs
	@python3 tools/test.py --slow $(if $(TESTS),-- -k "$(TESTS)")

# Groups of tools/install. tests/distributions needs the list, because it installs them before it cuts off the network.
TEST_GROUPS := build run unit test faults platforms lxc podman kvm mongodb fuseki oxigraph virtuoso monitoring
.PHONY: test-groups
test-groups:
	@echo $(TEST_GROUPS)
test-programs:
	@tools/install $(TEST_GROUPS)
	+@$(SUBMAKE) -s MODE=asan build unit fuzzers
	+@$(SUBMAKE) -s MODE=tsan build tsan-unit

.PHONY: tsan-unit
tsan-unit: $(filter $(THREADED:%=$(BUILD)/tests/test_%),$(UNIT_TESTS))

# Runs every verb twice on every platform that this host supports; takes minutes. PLATFORMS selects platforms.
.PHONY: test-platforms
test-platforms:
	@tools/install build run platforms $(or $(call platform_groups,$(PLATFORMS)),$(filter-out xen,$(PLATFORM_GROUPS))) test-platforms
	+@$(SUBMAKE) -s MODE=release build
	@tests/platforms/run $(PLATFORMS)

# The same on Xen, with dom0 and guests emulated in QEMU. IR_TEST_XEN_KINDS=pv,pvh,hvm …
.PHONY: test-xen
test-xen:
	@tools/install build run test-xen
	+@$(SUBMAKE) -s MODE=release build
	@python3 tests/platforms/xen_nested.py

# Fuzzes each target for SECONDS. CORPUS: a folder with more inputs; TARGETS: only these targets (tests/fuzz/README.md).
SECONDS ?= 60
FUZZ = tests/fuzz/run.py --seconds "$(SECONDS)" $(if $(CORPUS),--corpus "$(CORPUS)") $(TARGETS)
.PHONY: fuzz valgrind
fuzz:
	@! command -v python3 >/dev/null || $(FUZZ) --check
	@tools/install build fuzz
	+@$(SUBMAKE) -s MODE=fuzz fuzzers
	@$(FUZZ)

valgrind:
	@tools/install build run unit test mongodb fuseki
	+@$(SUBMAKE) -s MODE=release build unit
	@python3 tools/test.py --valgrind

# ---- checks ----

C_FILES := $(wildcard $(addsuffix /*.c,$(FOLDERS)) $(addsuffix /*.h,$(FOLDERS)) tests/unit/*.[ch] \
             tests/fuzz/*.[ch] bench/*.[ch] packaging/*.c examples/c/*.c)
SHELL_FILES := tools/install ingest/make-certificates ingest/check-data .ci/run $(wildcard tools/*.sh tests/*.sh tests/*/*.sh examples/*/*.sh packaging/debian/*.p*st*) tests/platforms/run \
               platforms/lab/sandbox.sh \
               $(wildcard tests/platforms/*.bats tests/platforms/*.bash platforms/appliance/initrd/init \
               platforms/appliance/root/etc/runit/* platforms/appliance/root/etc/sv/*/run) \
               $(addprefix platforms/appliance/river/,arrange common.sh ready stop supervise) \
               $(wildcard platforms/appliance/river/roles/*/*) \
               platforms/kvm/private-libvirtd $(wildcard platforms/xen/nested/* platforms/xen/hotplug/*)
PYTHON_FILES := $(wildcard monitoring/*.py tools/*.py tools/*/*.py ingest/*.py packaging/*.py examples/*/*.py tests/*/*.py tests/*/*/*.py bench/*.py bench/*/*.py bench/*/*/*.py platforms/*.py platforms/*/*.py) \
                platforms/ir-platform platforms/ir-deploy monitoring/ir-top monitoring/configure
TIDY_FILES := $(MAINS) $(SOURCES) $(UNIT_SOURCES) $(UNIT_HELPERS) $(wildcard tests/fuzz/*.c packaging/*.c)
TIDY_STAMPS := $(TIDY_FILES:%.c=out/tidy/%.ok)

.PHONY: check check-all check-format check-shell check-python check-structure check-warnings check-hardening check-tidy format
check:
	@tools/install build check
	+@$(SUBMAKE) check-all
	@echo "check: nothing found"
check-all: check-format check-shell check-python check-structure check-hardening check-tidy
check-format:
	@clang-format --dry-run -Werror $(C_FILES)
check-shell:
	@shellcheck $(SHELL_FILES)
check-python:
	@python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' $(PYTHON_FILES)
check-structure:
	@python3 tools/structure.py --check
check-warnings:
	+@$(SUBMAKE) -s MODE=check build
check-hardening: check-warnings
	@python3 tools/hardening.py $(PROGRAMS:$(BUILD)/%=out/check/%)
check-tidy: $(TIDY_STAMPS)
# A file is checked again when it or any header has changed.
out/tidy/%.ok: %.c .clang-tidy $(filter %.h,$(C_FILES))
	@mkdir -p $(@D)
	@echo "clang-tidy $<"
	@clang-tidy -quiet $< -- $(BASE_CFLAGS) 2>$@.log || { grep -v ' warnings* generated' $@.log; exit 1; }
	@touch $@
format:
	clang-format -i $(C_FILES)

# The example with every setting, and the lists of setting and program names, with which a program tells the settings of
# others from misspelt ones. Rewrite them when a setting changes; a test compares them with the programs.
.PHONY: river.conf
river.conf: build
	@{ sed -n '1,/^$$/p' $@; for each in ingest worker store loadgen feed annotate registry tap; do \
	    $(BUILD)/ir-$$each --print-example; echo; done; } | sed '$$d' > $(BUILD)/river.conf
	@mv $(BUILD)/river.conf $@
	@sed -n 's/^;\([a-z0-9-]*\) =.*/"\1",/p' $@ | LC_ALL=C sort -u > common/setting_names.inc
	@sed -n 's/^\[\(ir-[a-z]*\)\]/"\1",/p' $@ | LC_ALL=C sort -u > common/program_names.inc

# The example of the balancer's configuration; a test compares it with the list of nodes.
.PHONY: haproxy.cfg
haproxy.cfg:
	ingest/haproxy.py ingest/nodes.conf > ingest/haproxy.cfg

# The references generated from tables in the code; a test compares them with the code.
.PHONY: references
references: build $(PRINT_METRICS)
	@tools/references.py $(BUILD)

# The compile command of each C file, for clangd and other tools.
.PHONY: compile_commands.json
compile_commands.json:
	@python3 tools/compile_commands.py '$(subst ','\'',$(COMPILE))' $(TIDY_FILES) $(BENCHES:$(BUILD)/%=%.c) > $@

# Grafana's dashboards; a test compares them with the script.
.PHONY: dashboards
dashboards:
	monitoring/dashboards.py

# ---- installing ----

PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
DESTDIR ?=
BINDIR = $(DESTDIR)$(PREFIX)/bin
SHAREDIR = $(DESTDIR)$(PREFIX)/share/intelligent-river
DOCDIR = $(DESTDIR)$(PREFIX)/share/doc/intelligent-river
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
UNITDIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
CONFDIR = $(DESTDIR)$(SYSCONFDIR)/intelligent-river

# Programs in Python: links from BINDIR into the installed tree.
SCRIPTS := platforms/ir-platform platforms/ir-deploy monitoring/ir-top
# The installed tree looks like the sources, so that paths in messages and documents hold in both.
INSTALLED_TREES := platforms $(wildcard packaging/systemd monitoring)
INSTALLED_FILES := tools/install tests/requirements.txt ingest/guard.py ingest/interrupt.py ingest/atomic.py ingest/cache.py ingest/until.py ingest/ini.py ingest/nodes.py ingest/nodes.conf ingest/haproxy.cfg ingest/definitions.json \
                   $(wildcard ingest/*.erl) ingest/haproxy.py ingest/rabbitmq.py ingest/definitions.py ingest/motes.py ingest/carry.py \
                   ingest/cut.py ingest/drained.py ingest/make-certificates ingest/check-data
INSTALLED_DOCUMENTS := README.md CHANGELOG.md LICENSE feed/README.md loadgen/README.md bench/README.md docs examples
# Installed units include the sandbox settings of our own programs.
UNITS := $(wildcard packaging/systemd/*.service packaging/systemd/*.target)
SANDBOX := packaging/systemd/sandbox.conf packaging/systemd/program.conf
MANUALS = $(addprefix $(BUILD)/manuals/,$(addsuffix .1,$(notdir $(PROGRAMS) $(SCRIPTS))))

# Manual pages and completions, made from the programs' own tables of settings.
.PHONY: manuals
manuals: $(BUILD)/manuals/made
$(BUILD)/manuals/made: packaging/manuals.py VERSION $(PROGRAMS) $(SCRIPTS) $(wildcard platforms/lab/*.py)
	@rm -rf $(@D)
	@python3 packaging/manuals.py $(@D) $(VERSION) $(PROGRAMS) $(SCRIPTS)
	@touch $@

# Copies files and folders below a folder, under the paths that they have here. Executable files stay executable;
# otherwise the modes of the sources and the caller's umask have no effect.
define copy
	@find $(1) -name __pycache__ -prune -o -type f -perm -u+x -exec install -D -m 755 {} $(2)/{} \; \
	    -o -type f -exec install -D -m 644 {} $(2)/{} \;
endef

.PHONY: install uninstall clean help
install:
	+@$(SUBMAKE) -s MODE=release install-built
	@echo "installed below $(DESTDIR)$(PREFIX)"

.PHONY: install-built
install-built: build manuals
	@umask 022; install -d -m 755 $(BINDIR) $(SHAREDIR) $(DOCDIR) $(MANDIR) $(BASHDIR) $(ZSHDIR) $(UNITDIR) $(CONFDIR)
	@install -m 755 $(PROGRAMS) $(BINDIR)
	@install -m 644 $(wildcard river.conf loadgen/usgs_river.ttl loadgen/*.csv.gz observation/*.ttl) $(SHAREDIR)
	$(call copy,$(INSTALLED_TREES) $(INSTALLED_FILES),$(SHAREDIR))
	$(call copy,$(INSTALLED_DOCUMENTS),$(DOCDIR))
	@ln -sf $(SCRIPTS:%=../share/intelligent-river/%) $(BINDIR)
	@install -m 644 $(MANUALS) $(MANDIR)
	@install -m 644 $(BUILD)/manuals/bash/* $(BASHDIR)
	@install -m 644 $(BUILD)/manuals/zsh/* $(ZSHDIR)
	@for unit in $(UNITS); do \
	    case $$unit in *.service) cat $$unit $(SANDBOX) ;; *) cat $$unit ;; esac | \
	        sed 's|@BINDIR@|$(PREFIX)/bin|; s|@CONFDIR@|$(SYSCONFDIR)/intelligent-river|' | \
	        install -m 644 /dev/stdin $(UNITDIR)/$${unit##*/} || exit 1; done
	@[ -e $(CONFDIR)/river.conf ] || install -m 640 river.conf $(CONFDIR)

uninstall:
	rm -f $(addprefix $(BINDIR)/,$(notdir $(PROGRAMS) $(SCRIPTS))) $(UNITS:packaging/systemd/%=$(UNITDIR)/%)
	rm -f $(addprefix $(MANDIR)/,$(notdir $(MANUALS))) $(addprefix $(BASHDIR)/,$(notdir $(PROGRAMS) $(SCRIPTS))) \
	    $(addprefix $(ZSHDIR)/_,$(notdir $(PROGRAMS) $(SCRIPTS)))
	rm -rf $(SHAREDIR) $(DOCDIR)

# Debian packages and an OCI image of them, for the host's release or RELEASE.
.PHONY: deb image test-packages
deb:
	@tools/install distributions
	@packaging/deb.py $(RELEASE)
image:
	@tools/install distributions podman
	@packaging/image.py $(RELEASE)
test-packages:
	@tools/install distributions lxc podman kubernetes
	@python3 tests/packages/run.py $(RELEASE)

clean:
	rm -rf out

help:
	@echo "make run         processes real data; ends with a table and out/run/summary.json"
	@echo "                   DOCUMENTS=sqlite|mongodb|null  GRAPH=nquads|fuseki|oxigraph|virtuoso|null"
	@echo "                   VIA=mix|amqp|mqtt|http  BROKERS=1|3|5|7  GATEWAYS=2  WORKERS=2"
	@echo "                   REPEAT=1  RATE=0 (observations/s; 0: as fast as possible)  MESSAGES=0 (stop after this many)"
	@echo "                   PLATFORM=$(subst $(empty) ,|,$(PLATFORM_NAMES))[:KIND] (kvm:qemu emulates)  TOPOLOGY=single|split  PROFILE=default|pinned|…: in guests"
	@echo "                   FORMATS=jsonld,senml  KEEP=1 (leave it running, print the addresses)"
	@echo "make up          a river of your own, kept in river/ and left running: REGISTRY=MY.ttl (several: A.ttl,B.ttl)"
	@echo "                   DATA=DIR (instead of river/)  LISTEN=127.0.0.1 (address for motes)  FRESH=1 (empty it first)"
	@echo "                   BROKERS DOCUMENTS GRAPH GATEWAYS WORKERS FORMATS as above; called again, it continues with the existing data"
	@echo "make registry    FILE=MY.ttl: changes the registry of the running river;  make down  stops the river"
	@echo "make backup      TO=DIR: saves everything that cannot be regenerated to a new folder in DIR; workers may run"
	@echo "                   COPIES=7 (keep this many backups, remove older ones; 0: remove none)"
	@echo "make restore     FROM=DIR: restores what is lost, from a backup or from the newest one in DIR; STORE=both|documents|graph"
	@echo "make load        simulated motes send to the running river: MOTES=1000 RATE=1000 DURATION=30 VIA=mix"
	@echo "make find-max    finds the highest rate that the running river sustains: MOTES=1000 VIA=mix; four to eight minutes"
	@echo "make monitor     starts Prometheus for the running river, with alerts (docs/howto/monitor.md); PACE=30: alerts within seconds"
	@echo "make bench       compares bare metal with a platform: proofs, intervals, a report below out/bench"
	@echo "                   PLATFORMS=\"lxc …\"  PROFILES=\"default pinned …\"  EXPERIMENTS=quick|thesis|all|\"NAME …\""
	@echo "                   REPEATS=LEAST-MOST (blocks)  MINUTES= (for the whole run; default: six blocks)  SEED="
	@echo "make bench-ten   repeats it ten times, three of them with an unrelated load; reports how often its proofs hold"
	@echo "make test        unit and integration tests under sanitizers; ends with the totals"
	@echo "make test-unit   only the unit tests"
	@echo "make test-distributions  make run and make test on Debian 12 and 13 (RELEASE=bookworm|trixie: only on this one;"
	@echo "                   STEPS=\"run run-servers test kills upgrade\": only these steps; the last two run only on request)"
	@echo "make test-newcomer  runs the README's commands as an ordinary user with sudo (RELEASE= as above); half an hour"
	@echo "make test-slow   the slow tests: workers killed forty times, long runs (IR_RABBITMQ_ROOT: also with a second version of RabbitMQ;"
	@echo "                   TESTS=WORDS: only these, like pytest's -k)"
	@echo "make faults      injects faults into the stack under load: kills, cut connections, full disks, harmful messages: FAULTS=100"
	@echo "                   OBSERVATIONS=1000000 RATE=500 MINUTES= SEED= KINDS=\"kill partition …\"; a report below out/faults"
	@echo "make soak        half an hour of steady load; checks that memory and descriptors do not grow: MINUTES=30 RATE=0"
	@echo "make test-platforms  every verb on every platform that this host supports (PLATFORMS=bare,lxc …)"
	@echo "make test-xen    the same on Xen, which runs in a QEMU machine; half an hour"
	@echo "make build       the programs, below out/release (MODE=asan|tsan: below out/asan, out/tsan)"
	@echo "make check       format, clang-tidy, shellcheck, hardening; make format fixes the first"
	@echo "make compile_commands.json  for clangd and other tools; make references: settings, metrics, messages in docs/reference"
	@echo "make valgrind    unit tests and short runs of the release build under valgrind"
	@echo "make fuzz        fuzzes every parser of external input with libFuzzer: SECONDS=60 (each)  CORPUS=DIR (more inputs)  TARGETS=\"NAME …\""
	@echo "make install     programs, manual pages, examples and documents, below PREFIX=/usr/local (DESTDIR=)"
	@echo "make deb         Debian packages for this release, or RELEASE=bookworm|trixie; below out/deb"
	@echo "make image       an OCI image of the packages, below out/image"
	@echo "make test-packages  builds, installs, starts, upgrades and purges the packages and the image on Debian 12 and 13"
	@echo "make uninstall   removes what make install installed"
	@echo "make clean       removes out/; a river made by make up stays"

-include $(OBJECTS:.o=.d) $(MAINS:%.c=$(BUILD)/%.d) $(UNIT_SOURCES:%.c=$(BUILD)/%.d) \
         $(UNIT_HELPERS:%.c=$(BUILD)/%.d) $(patsubst %.c,$(BUILD)/%.d,$(wildcard tests/fuzz/*.c packaging/*.c))
