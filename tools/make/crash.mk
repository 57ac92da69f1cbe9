# SPDX-License-Identifier: BSD-2-Clause
# crash.mk - the crash-state engine of pmfs (tests/crash/README.md), on this machine.

CRASH := $(BUILD)/test/crash/crash
CRASH_PMFS := $(wildcard servers/fs/pmfs/*.c)
CRASH_SOURCES := $(sort $(wildcard tests/crash/*.c)) tests/cold/steps.c tests/cold/fit.c $(CRASH_PMFS) servers/kit/fs.c
CRASH_OBJECTS := $(CRASH_SOURCES:%=$(OBJ)/crash/%.o)
CRASH_FLAGS := -std=gnu17 -O2 -g -DLINTEL_HOST=1 $(WARNINGS) -I. -Iservers -I$(GEN)/include -Iabi/include \
	-DSTORES_KEEP_BYTES=8192u
CRASH_LINK := -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_rwlock_wrlock,--wrap=pthread_rwlock_rdlock \
	-Wl,--wrap=clock_gettime,--wrap=space_alloc,--wrap=space_free -lpthread
STATES ?= 1000000
JOBS ?= 2

$(OBJ)/crash/%.o: % | $(GEN)/stamp
	$(call compile,$(CRASH_FLAGS))

$(CRASH): $(CRASH_OBJECTS)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  LINK  $@"
	$(Q)$(HOST_CC) $^ $(CRASH_LINK) -o $@

crash-build: $(CRASH)

# The tools of pmfs, for image files on this machine: BUILD/host/mkfs.pmfs and so on.
PMFS_HOST_CORE := $(filter-out %_x86.c %/image_zone.c,$(PMFS_CORE)) servers/fs/pmfs/pmem_host.c \
	servers/fs/pmfs/tools/image_zone_host.c servers/kit/fs.c
PMFS_HOST_TOOLS := $(foreach row,$(PMFS_TOOLS),$(BUILD)/host/$(call program_name,$(row)))

define pmfs_host_tool
$(BUILD)/host/$(1): $(patsubst %,$(OBJ)/crash/%.o,servers/fs/pmfs/tools/$(2).c $(sort $(PMFS_HOST_CORE)))
	@mkdir -p $$(@D)
	$$(Q)$$(SAY) "  LINK  $$@"
	$$(Q)$$(HOST_CC) $$^ -lpthread -o $$@
endef
$(foreach row,$(PMFS_TOOLS),$(eval $(call pmfs_host_tool,$(call program_name,$(row)),$(call program_folder,$(row)))))

pmfs-tools: $(PMFS_HOST_TOOLS) ## mkfs.pmfs, fsck.pmfs, pmfs-dump for image files, in BUILD/host

crash-test: $(CRASH) ## pmfs: all short sequences, then random ones, until STATES=1000000 crash images are checked
	$(Q)$(CRASH) --states $(STATES) --jobs $(JOBS)

crash-slice: $(CRASH) ## pmfs: 25 s of crash images, chosen by SEED=number
	$(Q)$(CRASH) --slice 25 --jobs 1 --seed $(SEED)

crash-mutants: $(CRASH) ## pmfs: seeds one mistake after the other, which the engine has to catch (10 minutes)
	$(Q)tests/crash/mutants.py --build $(BUILD) $(ONLY:%=--only %) -- $(HOST_CC) $(CRASH_FLAGS) $(CRASH_LINK)

STEPS ?= 400

crash-trace: doctor-run ## pmfs: crash images of what the whole machine did to its NVDIMM in STEPS=400 steps of each of 3 threads, SEED=number
	$(Q)$(MAKE) all crash-build $(METER)
	$(Q)tests/crash/traced --build $(BUILD) --steps $(STEPS) --seed $(SEED)

TIMES ?= 200

cold-kills: doctor-run ## pmfs: QEMU killed TIMES=200 times under load, steps from SEED=number; what was promised must be there
	$(Q)$(MAKE) all pmfs-tools
	$(Q)tests/cold/kill --build $(BUILD) --times $(TIMES) --seed $(SEED)

# libFuzzer comes with clang. Sources at once: what it instruments is of no use to anybody else.
RUNS ?= 10000000
FUZZ_MEDIA := $(BUILD)/test/fuzz/fuzz_pmfs

$(FUZZ_MEDIA): tests/fuzz/fuzz_pmfs.c $(CRASH_PMFS) servers/kit/fs.c $(wildcard servers/fs/pmfs/*.h) | $(GEN)/stamp
	@mkdir -p $(@D)
	$(Q)$(SAY) "  LINK  $@"
	$(Q)clang -std=gnu17 -O2 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-fno-sanitize-coverage=trace-cmp -DLINTEL_HOST=1 -I. -Iservers -I$(GEN)/include -Iabi/include $(filter %.c,$^) \
		-Wl,--wrap=aligned_alloc,--wrap=free -lpthread -o $@

fuzz-media: $(FUZZ_MEDIA) ## pmfs: RUNS=10000000 damaged images, by libFuzzer; what it finds is in BUILD/test/fuzz
	@mkdir -p $(BUILD)/test/fuzz/corpus
	$(Q)ASAN_OPTIONS=quarantine_size_mb=16 $(FUZZ_MEDIA) $(BUILD)/test/fuzz/corpus -runs=$(RUNS) -max_len=300 -timeout=100 \
		-artifact_prefix=$(BUILD)/test/fuzz/ -print_final_stats=1

-include $(CRASH_OBJECTS:.o=.d)

.PHONY: pmfs-tools crash-build crash-test crash-slice crash-mutants crash-trace fuzz-media cold-kills
