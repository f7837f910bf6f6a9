# What SwiftPM alone does not do. Every target installs what it needs and is missing, and says so (Scripts/need).

PREFIX ?= /usr/local
agents := $(CURDIR)/build/agents

.PHONY: build agents libraries dist test-dist reproducible test check docs lint format examples torture races memory bench demo lab install clean

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
	@Scripts/build-libraries

# What is released, into build/dist: the tool without other libraries than glibc's, for this machine's CPU, as a tarball and a Debian package.
dist: libraries
	@Scripts/need build agents dist
	@Scripts/build-agents x86_64 aarch64 riscv64
	@Scripts/dist

# What is released, installed into root file systems of Debian 12, Debian 13 and busybox, and the end-to-end tests `filter` names with it.
test-dist: dist
	@Scripts/need test
	@Lab/lab images
	DEPTOOL_DIST=$(CURDIR)/build/dist DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab \
	    DEPTOOL=$(CURDIR)/.build-dist/release/deptool Scripts/test $(or $(filter),--filter 'InstallationTests|FlavourTests|LoginTests|TransportTests')

# Two builds of what is released, in different folders, have the same bytes. A quarter of an hour or more.
reproducible:
	@Scripts/need dist
	@Scripts/reproduce

# Unit tests, and end-to-end tests against real hosts in containers.
test: lint build
	@Scripts/need test
	@Lab/lab images
	DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab DEPTOOL=$(CURDIR)/build/deptool Scripts/test $(filter)

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

scripts := .ci/run Scripts/build-agents Scripts/build-libraries Scripts/build-notes Scripts/check-links Scripts/completions Scripts/demo Scripts/dist Scripts/dist-deb \
    Scripts/docs Scripts/man-pages Scripts/need Scripts/release-sources Scripts/reproduce Scripts/soak Scripts/test install.sh \
    ci/deptool-ci Lab/lab Lab/selftest Lab/slot.sh Lab/image.sh examples/generated/render.sh

# Only what is in examples/, deployed to throwaway hosts and checked.
examples: filter := --filter 'ExampleTests|DNSTests'
examples: test

# What `make test` tries a share of, as a whole: every operation fails, at every byte a connection is cut, processes and hosts
# are killed at random moments, operators do this and that. Hours; DEPTOOL_SEED repeats a run's random choices.
torture: build
	@Scripts/need test
	@Lab/lab images
	DEPTOOL_TORTURE=1 DEPTOOL_AGENTS=$(agents) DEPTOOL_LAB=$(CURDIR)/Lab/lab DEPTOOL=$(CURDIR)/build/deptool Scripts/test \
	    --filter 'EndingTests|FaultTests|PowerLoss|CutTests|SilenceTests|FuzzTests|EndToEnd.*(Kill|Operation|Disk|Network|RandomOperators|OtherUsers|Secret|Interruption|Safety|Reachability|Load)'
	@$(MAKE) --no-print-directory races memory

# Unit tests under ThreadSanitizer: two threads that use the same memory at once are a fault, whatever comes of it.
races:
	@Scripts/need test
	swift test --sanitize=thread --scratch-path .build-tsan --filter '$(unit)'

# The same under AddressSanitizer: what reads or writes beyond its memory, here or in a library, ends the run.
memory:
	@Scripts/need test
	ASAN_OPTIONS=detect_leaks=0 swift test --sanitize=address --scratch-path .build-asan --filter '$(unit)'

unit := ^(ModelTests|WireTests|AgeTests|SealingTests|SSHTests|GitTests|PlanningTests|DeploymentTests|DisplayTests)\.

# Times, as medians and ratios, on throwaway hosts: into Benchmarks/RESULTS.md. Half an hour, on a machine that is left alone.
bench: build
	@Lab/lab deps
	@Scripts/need bench
	@Benchmarks/run

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
