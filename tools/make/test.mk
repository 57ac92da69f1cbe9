# SPDX-License-Identifier: BSD-2-Clause
# test.mk - `make test`. tools/test builds what each part needs, runs it and counts.
#
# tests/unit/test_NAME.c is one cmocka binary on this machine, with ASan and UBSan. It links what its comment
# `link: mm/ !mm/port.c` names, or else the .c beside each header it includes; tools/unit_links.py finds out.

DEBUG_BUILD := $(if $(filter build/%,$(BUILD)),build/debug,$(BUILD)/debug)
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/test/unit/%)
UNIT_LINKS := $(OBJ)/unit/links.mk
UNIT_FLAGS := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	-DLINTEL_DEBUG=1 -DLINTEL_HOST=1 $(WARNINGS) -I. -Iservers -Idrivers -Ilibc -Itests/unit -I$(GEN) -I$(GEN)/include \
	-Iabi/include -idirafter libc/include

ifneq ($(filter unit-tests,$(MAKECMDGOALS)),)
include $(UNIT_LINKS)
endif

$(UNIT_LINKS): $(UNIT_SOURCES) tools/unit_links.py
	@mkdir -p $(@D)
	$(Q)python3 -B tools/unit_links.py --out $(BUILD)/test/unit --objects $(OBJ)/unit $(UNIT_SOURCES) >$@

$(OBJ)/unit/%.o: % | $(GEN)/stamp
	$(call compile,$(UNIT_FLAGS))

$(BUILD)/test/unit/%:
	@mkdir -p $(@D)
	$(Q)$(SAY) "  LINK  $@"
	$(Q)$(HOST_CC) -fsanitize=address,undefined $(filter %.o,$^) -lcmocka -lpthread -o $@

unit-tests: $(UNIT_TESTS)

TEST = tools/test --build $(BUILD) --debug-build $(DEBUG_BUILD) $(if $(filter kvm,$(ACCEL)),--accel kvm,)

test: doctor-test ## all tests: unit, python, guest (in QEMU), system; last line `N passed, N failed`
	$(Q)MAKE=$(MAKE_COMMAND) $(TEST) unit python model guest system

test-unit test-python test-guest test-system test-model: test-%: doctor-test
	$(Q)MAKE=$(MAKE_COMMAND) $(TEST) $*

model: ## exhausts the model of the door protocol (SPIN), and finds each of its seeded mistakes
	$(Q)tools/doctor --install model
	$(Q)tests/model/run --out $(BUILD)/model

CALLS ?= 10000000
SEED ?= $(shell date +%s)

fuzz: doctor-run ## CALLS=10000000 random system calls in QEMU, from SEED=number (default: the time), which replays
	$(Q)$(MAKE) all
	$(Q)tools/run $(RUN_WORDS) SCRIPT='run -r -s /boot/bin/fuzz_syscalls $(SEED) $(CALLS)'

KILLS ?= 10000
STEP ?=

door-kills: CPUS = 4
door-kills: doctor-run ## KILLS=10000 clients and servers killed at every step of door calls, from SEED=number; STEP=name for one
	$(Q)$(MAKE) all
	$(Q)tools/run $(RUN_WORDS) SCRIPT='run -c /boot/bin/deaths $(SEED) $(KILLS) $(STEP)'

SECONDS ?= 60

fsx: doctor-run ## SECONDS=60 of random operations on files by several processes, against a model, from SEED=number
	$(Q)$(MAKE) all
	$(Q)tools/run $(RUN_WORDS) SCRIPT='run -c /boot/bin/fsx $(SEED) $(SECONDS)'

NAMES ?= 1000 10000 100000 1000000

# A pmem of its own: a million inodes are 244 MiB.
crowded: PMEM = 1G
crowded: PMEM_FILE = $(BUILD)/test/crowded.img
crowded: doctor-run ## NAMES='1000 1000000' in one directory; with ICOUNT=1 the ticks are instructions
	$(Q)$(MAKE) all pmfs-tools
	@mkdir -p $(BUILD)/test
	$(Q)tools/run $(RUN_WORDS) SCRIPT='run /boot/bin/crowded $(NAMES)'
	$(Q)$(BUILD)/host/fsck.pmfs $(PMEM_FILE)

-include $(wildcard $(OBJ)/unit/*/*.d $(OBJ)/unit/*/*/*.d $(OBJ)/unit/*/*/*/*.d)

.PHONY: unit-tests fuzz door-kills fsx crowded model test test-unit test-python test-guest test-system test-model
