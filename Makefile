# SPDX-License-Identifier: BSD-2-Clause
# Builds, runs and checks everything. `make help` lists the targets; tools/make/*.mk hold the rules, one topic each.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

# What can be given on the command line (`make run CPUS=4 SCRIPT='ls /pmem; df'`):
DEBUG ?=
BUILD ?= build/$(if $(DEBUG),debug,release)
CPUS ?= 2
MEM ?= 1G
PMEM ?=
ACCEL ?= auto
BOOT ?= pvh
CPU ?=
ICOUNT ?=
SCRIPT ?=
APPEND ?=
EXTRA ?=
# Things that both variants share: pmem image, file tree, SDK.
SHARED ?= $(if $(filter build/%,$(BUILD)),build,$(BUILD))
PMEM_FILE ?= $(SHARED)/pmem.img

GEN := $(BUILD)/gen
OBJ := $(BUILD)/obj
Q := $(if $(V),,@)
SAY = $(if $(V),:,echo) # make V=1 shows the commands themselves

include tools/make/kernel.mk
-include libc/libc.mk
include tools/make/programs.mk
include tools/make/image.mk
include tools/make/run.mk
include tools/make/bench.mk
include tools/make/test.mk
include tools/make/crash.mk
include tools/make/checks.mk
include tools/make/sdk.mk
include tools/make/interop.mk

all: $(KERNEL) $(PROGRAM_FILES) $(ARCHIVE) $(COMPILE_COMMANDS) ## kernel, programs, boot archive, compile_commands.json

gen: $(GEN)/stamp ## headers and tables made from abi/

$(GEN)/stamp: $(wildcard abi/*.def abi/*.proto tools/abigen/*.py)
	$(Q)$(SAY) "  GEN   $(GEN)"
	$(Q)python3 -B tools/abigen --out $(GEN)
	$(Q)touch $@

abi-docs: ## rewrites docs/syscalls.md, docs/protocols.md and abi/golden/ after a change in abi/
	$(Q)python3 -B tools/abigen --pages .

clean: ## removes this variant's build folder, but never a pmem image
	$(Q)[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name 'pmem*.img' -exec rm -rf {} +

help: ## this list
	@echo "make TARGET [VARIABLE=value ...]"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: DEBUG=1 V=1 BUILD=dir; to run: CPUS=2 MEM=1G PMEM=256M|none PMEM_FILE=file ACCEL=auto|tcg|kvm"
	@echo "           CPU=model ICOUNT=1 APPEND=words BOOT=pvh|grub|grub-uefi|uefi EXTRA=dir SCRIPT='cmd; cmd'"

.PHONY: all gen abi-docs clean help
