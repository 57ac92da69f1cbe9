# SPDX-License-Identifier: BSD-2-Clause
# programs.mk - user programs. libc/libc.mk gives LIBC_READY (what must exist first), LIBC_CFLAGS, LIBC_LDFLAGS, LIBC_LIBS.

# Programs, and where each one's sources are; *_host.c is for tests on the build machine. No sources, no program.
# Each file of tests/guest is a program of its own; so is each folder there.
PROGRAM_TABLE := init:servers/init console:servers/console bootfs:servers/fs/bootfs memfs:servers/fs/memfs \
	pmfs:servers/fs/pmfs shell:servers/shell bench:tests/bench cold:tests/cold
GUEST_FOLDERS := $(patsubst tests/guest/%/,%,$(sort $(dir $(wildcard tests/guest/*/*.c))))
GUEST_FILES := $(patsubst tests/guest/%.c,%,$(sort $(wildcard tests/guest/*.c)))
GUEST_PROGRAMS := $(GUEST_FOLDERS) $(GUEST_FILES)

program_name = $(firstword $(subst :, ,$(1)))
program_folder = $(lastword $(subst :, ,$(1)))
$(foreach row,$(PROGRAM_TABLE),$(eval $(call program_name,$(row))_SOURCES := \
	$(filter-out %_host.c,$(sort $(wildcard $(call program_folder,$(row))/*.[cS])))))
pmfs_SOURCES += $(sort $(wildcard servers/fs/pmfs/server/*.c))
bench_SOURCES += $(sort $(wildcard tests/bench/lintel/*.c))
$(foreach name,$(GUEST_FOLDERS),$(eval $(name)_SOURCES := $(sort $(wildcard tests/guest/$(name)/*.[cS]))))
$(foreach name,$(GUEST_FILES),$(eval $(name)_SOURCES := tests/guest/$(name).c))

# pmfs's tools share its sources.
PMFS_TOOLS := mkfs.pmfs:mkfs fsck.pmfs:fsck pmfs-dump:dump
PMFS_CORE := $(filter-out servers/fs/pmfs/server/%,$(pmfs_SOURCES)) servers/fs/pmfs/server/pmem_x86.c \
	$(wildcard servers/fs/pmfs/tools/image*.c)
$(foreach row,$(PMFS_TOOLS),$(eval $(call program_name,$(row))_SOURCES := \
	servers/fs/pmfs/tools/$(call program_folder,$(row)).c $(filter-out %_host.c,$(PMFS_CORE))))

PROGRAMS := $(foreach name,$(foreach row,$(PROGRAM_TABLE),$(call program_name,$(row))) \
	$(foreach row,$(PMFS_TOOLS),$(call program_name,$(row))) $(GUEST_PROGRAMS), \
	$(if $($(name)_SOURCES),$(name)))
PROGRAM_FILES := $(PROGRAMS:%=$(BUILD)/bin/%)
# Every folder of servers and drivers is one room: a file includes "kit/kit.h", or its neighbours by name.
USER_INCLUDES := -Iservers -Idrivers -Iabi/include -I$(GEN)/include
USER_FLAGS := -std=gnu17 -O2 -g -fno-pic -fno-pie -ffunction-sections -fdata-sections -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -ftls-model=local-exec \
	-ffile-prefix-map=$(CURDIR)/= $(SMALL_INLINE) $(WARNINGS) $(if $(DEBUG),-DLINTEL_DEBUG=1) $(USER_INCLUDES) \
	$(LIBC_CFLAGS)
USER_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,noexecstack $(LIBC_LDFLAGS)

KIT := $(BUILD)/libkit.a
KIT_SOURCES := $(sort $(wildcard servers/kit/*.[cS]))
KIT_OBJECTS := $(KIT_SOURCES:%=$(OBJ)/user/%.o)
USER_OBJECTS := $(KIT_OBJECTS) $(foreach name,$(PROGRAMS),$(patsubst %,$(OBJ)/user/%.o,$($(name)_SOURCES)))

$(OBJ)/user/%.o: % $(LIBC_READY) | $(GEN)/stamp
	$(call compile,$(USER_FLAGS))

$(KIT): $(KIT_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(KIT_OBJECTS)

# Two passes, as for the kernel: the first gives the names of the functions, the second carries them. Their table lies
# before the code, which starts on a page of its own, so the code may move, but nothing within it does.
LINK_PROGRAM = $(CC) $(USER_LDFLAGS) $(filter %.o,$^) $(KIT) $(LIBC_LIBS)

define program_rule
$(BUILD)/bin/$(1): $(patsubst %,$(OBJ)/user/%.o,$($(1)_SOURCES)) $(KIT) $(LIBC_READY) tools/symbols.py
	@mkdir -p $$(@D)
	$$(Q)$$(SAY) "  LINK  $$@"
	@mkdir -p $(OBJ)/link
	$$(Q)$$(LINK_PROGRAM) -o $(OBJ)/link/$(1).pass1
	$$(Q)$$(NM) -n $(OBJ)/link/$(1).pass1 | python3 -B tools/symbols.py --program >$(OBJ)/link/$(1).S
	$$(Q)$$(CC) -c $(OBJ)/link/$(1).S -o $(OBJ)/link/$(1).o
	$$(Q)$$(LINK_PROGRAM) $(OBJ)/link/$(1).o -Wl,-Map=$(OBJ)/$(1).map -o $$@
	$$(Q)$$(NM) -n $$@ | python3 -B tools/symbols.py --program --verify $(OBJ)/link/$(1).S
	@rm -f $(OBJ)/link/$(1).pass1
endef
$(foreach name,$(PROGRAMS),$(eval $(call program_rule,$(name))))

programs: $(PROGRAM_FILES) ## all user programs

COMPILE_COMMANDS := $(BUILD)/compile_commands.json
$(COMPILE_COMMANDS): $(KERNEL_OBJECTS) $(USER_OBJECTS)
	$(Q){ echo '['; sed -s '$$a ,' $(patsubst %.o,%.json,$^) | sed '$$d'; echo ']'; } >$@

-include $(sort $(USER_OBJECTS:.o=.d))

.PHONY: programs
