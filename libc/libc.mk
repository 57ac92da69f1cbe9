# SPDX-License-Identifier: BSD-2-Clause
# libc.mk - picolibc, and what Lintel puts under and beside it. Gives to the other rules:
#   LIBC_READY    what must exist before a program is compiled or linked
#   LIBC_CFLAGS   where the headers are     LIBC_LDFLAGS  the linker script     LIBC_LIBS  start code and libraries
# Needs: BUILD, OBJ, GEN, CC, Q, SAY, WARNINGS, and `compile` (tools/make/kernel.mk).

PICOLIBC_DIR := $(BUILD)/picolibc# a link into the cache
LIBC_CFLAGS := -nostdinc -isystem libc/include -isystem $(PICOLIBC_DIR)/include \
	-isystem $(shell $(CC) -print-file-name=include 2>/dev/null) -D__lintel__=1 -ftls-model=local-exec
LIBC_LDFLAGS := -Wl,-T,libc/program.ld -Wl,-z,max-page-size=4096 -Wl,--eh-frame-hdr
LIBC_LIBS := $(BUILD)/crt0.o -Wl,--start-group $(BUILD)/liblintel.a $(PICOLIBC_DIR)/lib/libc.a -lgcc -Wl,--end-group
LIBC_READY := $(BUILD)/libc.stamp

LIBC_SOURCES := $(filter-out libc/core/crt0.S,$(sort $(wildcard $(addprefix libc/,$(addsuffix /*.[cS], \
	core thread posix heap spawn)))))
LIBC_OBJECTS := $(LIBC_SOURCES:libc/%=$(OBJ)/libc/%.o)
LIBC_OWN_FLAGS = -std=gnu17 -O2 -g -fno-pic -fno-pie -ffunction-sections -fdata-sections -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-builtin-malloc \
	-ffile-prefix-map=$(CURDIR)/= -D_GNU_SOURCE $(SMALL_INLINE) $(WARNINGS) $(if $(DEBUG),-DLINTEL_DEBUG=1) \
	-Ilibc -Iabi/include -I$(GEN)/include $(LIBC_CFLAGS)

$(PICOLIBC_DIR).stamp: tools/picolibc.sh
	@mkdir -p $(@D)
	$(Q)folder=$$(tools/picolibc.sh) && ln -sfn "$$folder" $(PICOLIBC_DIR)
	$(Q)touch $@

$(OBJ)/libc/%.o: libc/% $(PICOLIBC_DIR).stamp | $(GEN)/stamp
	$(call compile,$(LIBC_OWN_FLAGS))

$(BUILD)/crt0.o: $(OBJ)/libc/core/crt0.S.o
	$(Q)cp $< $@

$(BUILD)/liblintel.a: $(LIBC_OBJECTS)
	$(Q)$(SAY) "  AR    $@"
	$(Q)rm -f $@
	$(Q)ar rcs $@ $(LIBC_OBJECTS)

$(LIBC_READY): $(BUILD)/crt0.o $(BUILD)/liblintel.a libc/program.ld $(wildcard libc/include/*.h libc/include/*/*.h)
	$(Q)touch $@

libc: $(LIBC_READY) ## picolibc and Lintel's part of the C library

-include $(LIBC_OBJECTS:.o=.d)

.PHONY: libc
