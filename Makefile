# Targets beyond those of SwiftPM. Every target installs missing packages that it needs, and reports this (Scripts/need).

PREFIX ?= /usr/local
agents := $(CURDIR)/build/agents
machine := $(shell uname -m)
# Those of a release. On aarch64, there is no runtime of Swift for others.
cpus ?= $(machine) $(filter-out $(machine),aarch64)

.PHONY: build agents libraries dist test-dist reproducible compatible test check docs lint format examples torture races memory emulated bench demo lab install clean

# The tool, with the agents of all CPUs inside, and the agents by themselves.
build: agents
	@Scripts/need build
	@Scripts/build-notes $(agents)
	@echo "Building deptool"
	@DEPTOOL_AGENTS=$(agents) swift build --quiet -c release --product deptool --static-swift-stdlib
	@cp "$$(DEPTOOL_AGENTS=$(agents) swift build -c release --static-swift-stdlib --show-bin-path)/deptool" build/deptool.new
	@mv build/deptool.new build/deptool
	@ls -l build/deptool

agents:
	@Scripts/need agents
	@Scripts/build-agents

# The libraries that a released tool has in itself, static.
libraries:
	@Scripts/need dist
	@for cpu in $(cpus); do Scripts/build-libraries $$cpu || exit; done

# The release, into build/dist: the tool without other libraries than glibc's, for x86_64 and aarch64 or the CPUs in `cpus`, as tarballs, Debian
# packages and OCI images.
dist: libraries
	@Scripts/need build agents dist
	@Scripts/build-agents x86_64 aarch64 riscv64 armv7l
	@Scripts/dist $(cpus)

# Installs the release into root file systems of Debian 12, Debian 13 and busybox, runs its image, and runs the end-to-end tests of `filter`.
test-dist: dist
	@Scripts/need test
	@Lab/lab images
	DEPTOOL_DIST=$(CURDIR)/build/dist DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab \
	    DEPTOOL=$(CURDIR)/.build-dist-$(machine)/release/deptool Scripts/test $(or $(filter),--filter 'InstallationTests|EmulatedToolTests|FlavourTests|LoginTests|TransportTests')

# Verifies that two builds of the release, in different folders, have the same bytes. Takes a quarter of an hour or more.
reproducible:
	@Scripts/need dist
	@Scripts/reproduce

# The newest tagged release, or `revision`, and this tool on the same stores and hosts.
compatible: build
	@Scripts/need test
	@Scripts/compatible $(revision)

# Unit tests, and end-to-end tests against real hosts in containers. What a value owns must also end where code is optimized as the tool is.
test: lint build
	@Scripts/need test
	@Lab/lab images
	@DEPTOOL_AGENTS=$(agents) swift build --quiet -c release --product ends --static-swift-stdlib
	DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab DEPTOOL=$(CURDIR)/build/deptool \
	    DEPTOOL_ENDS="$$(DEPTOOL_AGENTS=$(agents) swift build -c release --static-swift-stdlib --show-bin-path)/ends" Scripts/test $(filter)

# Before every commit: a few minutes, and no root.
check: lint
	@Scripts/need build
	$(if $(wildcard $(agents)/agents.h),DEPTOOL_AGENTS=$(agents)) Scripts/test --filter '$(unit)'
	@Scripts/docs

# The documentation of the modules, for a web browser: build/docs/MODULE.doccarchive.
docs:
	@Scripts/need build
	$(if $(wildcard $(agents)/agents.h),DEPTOOL_AGENTS=$(agents)) swift build
	@Scripts/docs

# The sources are as `make format` leaves them, and shellcheck finds no mistake in the scripts.
lint:
	@Scripts/need check
	@swift format lint --strict --recursive --parallel Sources Tests Package.swift
	@shellcheck --external-sources --severity=warning $(scripts)

# Rewrites the Swift sources in the one way that `make check` accepts (.swift-format).
format:
	swift format --in-place --recursive --parallel Sources Tests Package.swift

scripts := .ci/run Benchmarks/release Scripts/build-agents Scripts/build-libraries Scripts/build-notes Scripts/build-runtime Scripts/check-links Scripts/compatible Scripts/completions Scripts/demo Scripts/dist Scripts/dist-deb \
    Scripts/dist-image Scripts/dist-tree Scripts/docs Scripts/fetch-debs Scripts/man-pages Scripts/need Scripts/release-sources Scripts/reproduce Scripts/soak Scripts/test install.sh \
    ci/deptool-ci Lab/lab Lab/selftest Lab/slot.sh Lab/image.sh examples/app-release/build-release \
    examples/containers/build-images examples/containers/make-password examples/containers/prod/box1/backup/copy \
    examples/containers/prod/box1/db/ping examples/containers/prod/box1/db/start examples/dns/prod/ns1/nsd/check examples/dns/prod/ns2/nsd/check \
    examples/generated/render.sh examples/generated/render-jsonnet examples/mesh/collect examples/mesh/generate examples/web/certificates \
    examples/web/prod/web1/nginx/reload

# Only what is in examples/, deployed to throwaway hosts and checked.
examples: filter := --filter 'ExampleTests|DNSTests'
examples: test

# The full sweeps of which `make test` runs a share: every operation fails, a connection is cut at every byte, processes and
# hosts are killed at random moments, operators run random commands. Takes hours; DEPTOOL_SEED repeats a run's random choices.
torture: build
	@Scripts/need test
	@Lab/lab images
	DEPTOOL_TORTURE=1 DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab DEPTOOL=$(CURDIR)/build/deptool Scripts/test \
	    --filter 'EndingTests|FaultTests|PowerLoss|CutTests|SilenceTests|FuzzTests|EndToEnd.*(Kill|Operation|Disk|Network|RandomOperators|OtherUsers|Secret|Interruption|Safety|Reachability|Load)'
	@$(MAKE) --no-print-directory races memory emulated

# Unit tests under ThreadSanitizer: two threads that use the same memory at once are a fault, whatever comes of it.
races:
	@Scripts/need test
	swift test --sanitize=thread --scratch-path .build-tsan --filter '$(unit)'

# The same under AddressSanitizer: an access beyond allocated memory, here or in a library, ends the run.
memory:
	@Scripts/need test
	ASAN_OPTIONS=detect_leaks=0 swift test --sanitize=address --scratch-path .build-asan --filter '$(unit)'

# The agents for other CPUs, under emulation: what they read and write, and every operation of a deploy fails once. An hour.
emulated:
	@Scripts/need build agents agents-riscv64 agents-armv7l test
	@Scripts/build-agents --under-test aarch64 riscv64 armv7l
	@for cpu in aarch64:aarch64 riscv64:riscv64 armv7l:arm; do \
	    DEPTOOL_TORTURE=1 DEPTOOL_AGENT_UNDER_TEST="qemu-$${cpu#*:}-static $(CURDIR)/build/agents-under-test/linux-$${cpu%:*}" \
	        Scripts/test --filter 'NumberTests|FaultTests.*(each|the.step)' || exit; \
	done

unit := ^(PlatformTests|ModelTests|WireTests|AgeTests|SealingTests|SSHTests|GitTests|PlanningTests|DeploymentTests|DisplayTests)\.

# Times of the released program, as medians and ratios, on throwaway hosts: into Benchmarks/RESULTS.md. Half an hour, on a machine that is left
# alone.
bench: cpus := $(machine)
bench: dist
	@Lab/lab deps
	@Scripts/need bench
	@DEPTOOL=$(CURDIR)/.build-dist-$(machine)/release/deptool Benchmarks/run

# Two throwaway name servers: deploy, change, break, roll back.
demo: build
	@Scripts/need test
	@Scripts/demo

# Two hosts for the tutorial.
lab: build
	@Lab/lab deps
	@Lab/lab up $(CURDIR)/build/lab web1 db1
	@echo "For ssh and deptool to find them, put this line at the top of ~/.ssh/config: Include $(CURDIR)/build/lab/ssh_config"
	@echo "End them with: Lab/lab down $(CURDIR)/build/lab"

# The tool, its manual pages, and completions for bash, zsh and fish.
install: build
	install -D -m 755 build/deptool $(DESTDIR)$(PREFIX)/bin/deptool
	@rm -rf build/share
	@Scripts/man-pages build/deptool build/share/man/man1
	@Scripts/completions build/deptool build/share
	cd build/share && find . -type f -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/{} \;

clean:
	rm -rf build .build .build-*
