# Needs Go, make and git; what more a target wants (a C compiler for the race
# detector, strace for bench) it says when it misses it.

GO       ?= go
BIN      ?= bin
FUZZTIME ?= 10s
# How long each Go benchmark runs, and how the side-by-side comparison runs.
BENCHTIME ?= 1s
BENCHARGS ?=
SUITES    ?=

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X github.com/pdig/pdig/internal/cli.Version=$(VERSION)

# Everything that is shipped is static; only the race detector needs cgo.
export CGO_ENABLED = 0

# Packages that the race detector can say something about: those that work in
# their own process. The others drive traced programs or the built commands.
RACE_EXCEPT = /(cmd|cmdline|integration|tracer|mkimage|internal/repocheck|internal/testsum)(/|$$)
TESTED = $(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...

.DEFAULT_GOAL := build
.PHONY: build plugin test test-race oracle suites captures generate docs lint bench profile microbench fuzz cross image vm-arm64 guests guest-tests arm64-tests vm-arm64-plugin gvisor clean

BUILD_FALCO_TRACE = $(GO) build -buildvcs=false -trimpath -pgo cmd/sensor/default.pgo -ldflags '$(LDFLAGS) -E _pdig_start'

# The entry point of a tracer is our own: it runs before the Go runtime does.
build:
	$(GO) build -buildvcs=false -trimpath -ldflags '$(LDFLAGS) -E _pdig_start' -o $(BIN)/pdig ./cmd/pdig
	$(GO) build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sensor ./cmd/sensor
	$(BUILD_FALCO_TRACE) -o $(BIN)/falco-trace ./images/falco-trace

# The plugin that a Falco without userspace source loads. It is a shared library, and so
# needs a C compiler: gcc, and gcc-aarch64-linux-gnu for the other architecture. PLUGINS
# are the architectures. It asks for no name of a host or a user, and so not for libc's
# ways to do that.
PLUGINS ?= amd64 arm64
PLUGIN_BUILD = CGO_ENABLED=1 $(GO) build -buildvcs=false -trimpath -tags netgo,osusergo -buildmode=c-shared -ldflags '-s -w'
plugin:
	@for arch in $(PLUGINS); do \
		case $$arch in amd64) cc=x86_64-linux-gnu-gcc ;; arm64) cc=$(ARM64_CC) ;; esac; \
		command -v $$cc >/dev/null || { echo "make plugin: no $$cc: install gcc, for arm64 gcc-aarch64-linux-gnu, or name what you want: PLUGINS=amd64"; exit 1; }; \
		echo "$(BIN)/plugin/$$arch/libpdig.so"; \
		GOARCH=$$arch CC=$$cc $(PLUGIN_BUILD) -o $(BIN)/plugin/$$arch/libpdig.so ./shm/falcoplugin/libpdig || exit 1; \
		rm -f $(BIN)/plugin/$$arch/libpdig.h; \
	done

# Not cached: what is tested is this kernel and this machine too.
test: build test-race
	@$(GO) run ./internal/testsum -count=1 -timeout 20m ./...

# -short keeps the counts of the long tests small under the detector.
test-race:
	@if echo '#include <stdlib.h>' | $$($(GO) env CC) -x c -c -o /dev/null - 2>/dev/null; then \
		pkgs=$$($(TESTED)) && pkgs=$$(echo "$$pkgs" | grep -Ev '$(RACE_EXCEPT)') && \
		CGO_ENABLED=1 $(GO) run ./internal/testsum -label=race -count=1 -timeout 20m -short -race $$pkgs; \
	else \
		echo 'race: not run: no C compiler with headers, which the race detector needs'; \
	fi

# Every event of a system call, parameter by parameter, against what programs
# saw themselves. It ends with how many events had a case that fired.
oracle:
	cd integration && $(GO) test -count=1 -run '^TestOracle' -oracle

# Tests and programs of others (Go, Python, servers, shells, virtual machines), as
# far as they are installed, natively and under pdig: the same has to pass. It
# prints a table, and takes half an hour. SUITES is a pattern of names: SUITES='go|redis'.
suites:
	cd integration && $(GO) test -count=1 -timeout 3h -run '^TestSuites$$/($(SUITES))' -suites

# Captures of twenty programs, recorded by sysdig -u (0.29.3) over pdig: what it prints
# of them, in a hundred conditions and fifty formats, the sensor has to print, too. With
# NEWEST_SYSDIG, the command of a sysdig 0.41.4, it has to print the lines of that as well;
# CAPTURES is a pattern of more captures. It takes a quarter of an hour, with both twice that.
CAPTURES      ?=
NEWEST_SYSDIG ?=
captures: build
	cd integration && $(GO) test -count=1 -timeout 3h -parallel 4 -run '^(TestFreshCaptures|TestLanguage)$$' -v -fresh \
		-newest.sysdig '$(NEWEST_SYSDIG)' -captures '$(CAPTURES)'

generate:
	$(GO) generate ./...

# The options in the documents are what the programs print.
docs: generate build
	@for p in pdig sensor falco-trace; do \
		$(BIN)/$$p --help > $(BIN)/help && \
		awk -v help=$(BIN)/help ' \
			/^usage: / && !done { while ((getline line < help) > 0) print line; done = skip = 1 } \
			/^```$$/ { skip = 0 } \
			!skip' docs/$$p.md > $(BIN)/doc && \
		mv $(BIN)/doc docs/$$p.md || exit 1; \
	done
	@rm $(BIN)/help

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# Native, strace, the least that ptrace can cost, and pdig, side by side.
bench: build
	$(GO) run ./integration/bench -bin $(BIN) $(BENCHARGS)

# Where the compiler is to do its best for the sensor: a profile of it reading the file
# CAPTURE, of a million events or more. Without a new one it builds as well.
profile:
	$(GO) test -tags profile -run '^TestProfiled$$' -cpuprofile cmd/sensor/default.pgo -o $(BIN)/profile.test ./sensor/cmdline -profiled $(abspath $(CAPTURE))
	@rm $(BIN)/profile.test

# The Go benchmarks of the packages.
microbench:
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...

# An input is made smaller in a few steps only: of programs with threads Go would try
# nothing else for a minute each time.
fuzz:
	@pkgs=$$($(TESTED)) || exit 1; \
	for pkg in $$pkgs; do \
		list=$$($(GO) test -list '^Fuzz' $$pkg) || exit 1; \
		for target in $$(echo "$$list" | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzzminimizetime 10x -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# The other architecture: everything compiles, tests included, and both link.
cross:
	GOARCH=arm64 $(GO) build ./...
	GOARCH=arm64 $(GO) vet ./...
	GOARCH=arm64 $(MAKE) build BIN=$(BIN)/arm64

# The image falco-trace, with no tool for containers: for docker load, podman load,
# skopeo copy oci-archive:... and the like. BASE is the files of a distribution in a tar
# file, of the architecture that IMAGE_ARCHES names, for an image with those below. The
# same source makes the same bytes, wherever it lies.
IMAGE_ARCHES ?= amd64 arm64
IMAGE_NAME   ?= falco-trace:latest
BASE         ?=
IMAGE         = $(BIN)/image$(if $(BASE),-base)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
image:
	rm -rf $(IMAGE)
	mkdir -p $(IMAGE)
	@for arch in $(IMAGE_ARCHES); do \
		GOFLAGS= GOOS=linux GOARCH=$$arch GOAMD64=v1 GOARM64=v8.0 \
		$(BUILD_FALCO_TRACE) -o $(IMAGE)/$$arch/usr/bin/falco-trace ./images/falco-trace || exit 1; \
	done
	$(GO) run ./images/falco-trace/mkimage -o $(IMAGE) --name '$(IMAGE_NAME)' --version '$(VERSION)' --epoch $(SOURCE_DATE_EPOCH) \
		$(if $(BASE),--base '$(BASE)') $(foreach arch,$(IMAGE_ARCHES),$(arch)=$(IMAGE)/$(arch))
	@ls -l $(IMAGE)/*.tar

# The tests of package integration that need no more than static programs, on arm64:
#
#	make vm-arm64 RUN_ARM64='ssh board' ARM64_TESTS='Oracle|Attach'
#
# RUN_ARM64 runs its arguments there, in the current directory, which has to be
# the same: an emulator of a machine, say. There only /dev/shm is written to.
# Compilers: gcc-aarch64-linux-gnu and, for the 32-bit programs that arm64 kernels
# run as well, gcc-arm-linux-gnueabihf of Debian.
RUN_ARM64   ?=
ARM64        = $(BIN)/arm64
ARM64_CC    ?= aarch64-linux-gnu-gcc
ARM_CC      ?= arm-linux-gnueabihf-gcc
ARM64_TESTS ?= .
# What needs more than a busybox, and does not skip itself: setpriv of util-linux, an
# echo that may have another name (TestHiddenProgram), a test -w that asks the kernel
# (TestWritableProgram), a limit of descriptors that the shell does not come near to
# (TestDoctorLimits); and what is for fast machines: the flood, what has to be over in
# seconds, forks with a handler in each (TestMasksLeftBehind), and layers, which are
# not waited for long where a file system of another machine is mounted.
ARM64_SKIP  ?= TestAttachFilterSteps|TestWritableProgram|TestChangedUser|TestExecCreds|TestOtherUser|TestSetuid|TestKillAllReach|TestMaskOfOtherUser|TestNotHandedOver|TestDoctorRights|TestDoctorPlaces|TestHiddenProgram|TestDoctorLimits|TestFlood|TestAttachInTime|TestReleasedInTime|TestMasksLeftBehind|TestLayers
vm-arm64: arm64-tests
	cd integration && $(RUN_ARM64) env TMPDIR=/dev/shm $(abspath $(ARM64))/integration.test -prebuilt $(abspath $(ARM64)) \
		-patience 5m -attach.rounds 6 -attach.pairs 8 \
		-test.v -test.short -test.parallel 1 -test.timeout 2h -test.run '$(ARM64_TESTS)' -test.skip '$(ARM64_SKIP)'

# The plugin in its test host, which needs no more than the libraries that stand beside it.
# The host has the names of those where they lie, and so has to run where it was built.
vm-arm64-plugin:
	@mkdir -p $(ARM64)
	$(MAKE) plugin PLUGINS=arm64
	GOARCH=arm64 $(GO) test -c -o $(ARM64)/libpdig.test ./shm/falcoplugin/libpdig
	cp $(BIN)/plugin/arm64/libpdig.so $$(for l in ld-linux-aarch64.so.1 libc.so.6; do $(ARM64_CC) -print-file-name=$$l; done) $(ARM64)/
	$(ARM64_CC) -O1 -pthread -Wl,--dynamic-linker=$(abspath $(ARM64))/ld-linux-aarch64.so.1 -Wl,-rpath,$(abspath $(ARM64)) \
		-o $(ARM64)/host shm/falcoplugin/libpdig/testdata/host.c
	cd shm/falcoplugin/libpdig && $(RUN_ARM64) env TMPDIR=/dev/shm LD_LIBRARY_PATH=$(abspath $(ARM64)) $(abspath $(ARM64))/libpdig.test \
		-prebuilt $(abspath $(ARM64)) -patience 20m -volume 100000 -test.v -test.timeout 1h

# The command below the kernel of gVisor. Its runtime is built in a module of its own, since it
# needs a hundred others: a quarter of an hour the first time.
RUNSC ?= $(BIN)/gvisor/runsc
gvisor: build $(RUNSC)
	cd integration && $(GO) test -count=1 -v -run '^TestGVisor$$' -runsc $(abspath $(RUNSC))

$(BIN)/gvisor/runsc:
	@mkdir -p $(@D)
	cd $(@D) && { [ -e go.mod ] || $(GO) mod init gvisor; } && $(GO) get -tool gvisor.dev/gvisor/runsc@latest
	cd $(@D) && $(GO) build -o runsc gvisor.dev/gvisor/runsc

# What the engines of the kernel tell, in a guest with another kernel:
#
#	make guests RUN_GUEST='ssh board' PROBES='/tmp/probe.o' KMOD_SYSDIG=sysdig
#
# RUN_GUEST runs its arguments there, as root, in the current directory, which has to be
# the same: in an emulated machine that shares this file system, say. A kernel module that
# is loaded there is tested, and so are PROBES, classic probes that were built for its kernel.
# KMOD_SYSDIG is a sysdig of the module's age, whose lines are compared. What is not there
# is skipped. An emulated machine takes 10 minutes, and an hour on a busy one.
RUN_GUEST   ?=
PROBES      ?=
KMOD_SYSDIG ?= sysdig
GUESTS       = $(BIN)/guests
guests: guest-tests
	$(RUN_GUEST) sh integration/guests.sh $(abspath $(GUESTS)) '$(KMOD_SYSDIG)' $(abspath $(PROBES))

guest-tests: build
	@mkdir -p $(GUESTS)
	for p in kernelsrc/kmod kernelsrc/ebpf kernelsrc/modern integration; do $(GO) test -c -o $(GUESTS)/$$(basename $$p).test ./$$p || exit 1; done
	cp $(BIN)/pdig $(BIN)/sensor $(GUESTS)/
	@for c in parity calls racer exit1 exit2 plainopens refuse $(basename $(notdir $(wildcard integration/testdata/oracle-*.c))); do \
		p=$(GUESTS)/$$c c=integration/testdata/$$c.c; \
		gcc -O1 -static -pthread -o $$p $$c || exit 1; \
		case $$p in */oracle-i386 | */racer | */exit[12] | */plainopens | */refuse) continue ;; esac; \
		gcc -m32 -idirafter /usr/include/x86_64-linux-gnu -O1 -static -pthread -o $$p-i386 $$c || exit 1; \
	done

arm64-tests: cross
	GOARCH=arm64 $(GO) test -c -o $(ARM64)/integration.test ./integration
	GOARCH=arm64 $(GO) build -o $(ARM64)/ ./integration/testdata/gonet ./integration/testdata/preempted
	@for c in integration/testdata/*.c; do \
		case $$c in */abi.c) continue ;; esac; \
		$(ARM64_CC) -O1 -static -pthread -o $(ARM64)/$$(basename $$c .c) $$c || exit 1; \
	done
	@if command -v $(ARM_CC) >/dev/null; then for mode in arm thumb; do \
		$(ARM_CC) -m$$mode -O1 -static -nostdlib -ffreestanding -fno-pic -no-pie -fno-stack-protector -fomit-frame-pointer \
			-o $(ARM64)/abi-$$mode integration/testdata/abi.c || exit 1; \
	done; for c in integration/testdata/oracle-*.c integration/testdata/signals.c; do \
		$(ARM_CC) -O1 -static -pthread -o $(ARM64)/$$(basename $$c .c)-arm $$c || exit 1; \
	done; fi

clean:
	rm -rf $(BIN)
