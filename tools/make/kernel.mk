# SPDX-License-Identifier: BSD-2-Clause
# kernel.mk - kernel.elf from boot/, kernel/ and mm/. A file named *_debug.c or *_release.c belongs to that
# variant only, *_host.c to tests on the build machine.

CC = gcc
NM = nm
OBJCOPY = objcopy
HOST_CC = gcc

VARIANT_OUT := $(if $(DEBUG),release,debug)
# In user mode: small structures are cleared and copied by plain stores, not by `rep`, which takes longer to start.
SMALL_INLINE := -mmemset-strategy=unrolled_loop:192:noalign,libcall:-1:noalign \
	-mmemcpy-strategy=unrolled_loop:128:noalign,libcall:-1:noalign
WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow

KERNEL := $(BUILD)/kernel.elf
KERNEL_SOURCES := $(filter-out %_$(VARIANT_OUT).c %_host.c, \
	$(sort $(wildcard boot/*.[cS] kernel/*.[cS] kernel/arch/x86_64/*.[cS] mm/*.c)))
KERNEL_INCLUDES := -I. -Ikernel/arch/x86_64 -I$(GEN) -I$(GEN)/include -Iabi/include
KERNEL_FLAGS := -std=gnu17 -O2 -g -ffreestanding -mcmodel=kernel -mgeneral-regs-only -mno-red-zone -fno-pic \
	-fno-stack-protector -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fcf-protection=none \
	-ffile-prefix-map=$(CURDIR)/= $(WARNINGS) $(if $(DEBUG),-DLINTEL_DEBUG=1) $(KERNEL_INCLUDES)
KERNEL_OBJECTS := $(patsubst %,$(OBJ)/kernel/%.o,$(KERNEL_SOURCES)) $(OBJ)/kernel/gen/syscall_table.c.o

# One recipe compiles everything: $(call compile,flags) makes $@, its .d and its line of compile_commands.json.
define compile
@mkdir -p $(@D)
$(Q)$(SAY) "  CC    $<"
$(Q)printf '{"directory":"%s","file":"%s","command":"%s"}' '$(CURDIR)' '$<' '$(CC) $(1) -c $< -o $@' >$(@:.o=.json)
$(Q)$(CC) $(1) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
endef

$(OBJ)/kernel/%.o: % | $(GEN)/stamp
	$(call compile,$(KERNEL_FLAGS))

$(OBJ)/kernel/gen/syscall_table.c.o: $(GEN)/kernel/syscall_table.c
	$(call compile,$(KERNEL_FLAGS))

$(GEN)/kernel/syscall_table.c: $(GEN)/stamp ;

$(OBJ)/linker.ld: linker.ld
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c $(KERNEL_INCLUDES) -MMD -MP -MF $(@:.ld=.ld.d) -MT $@ $< -o $@

# Two passes: the first gives the symbols, the second carries them. .ksyms lies last, so nothing else moves;
# symbols.py --verify makes sure of that.
LINK_KERNEL = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
	-Wl,--no-warn-rwx-segments -T $(OBJ)/linker.ld $(KERNEL_OBJECTS)

$(KERNEL): $(KERNEL_OBJECTS) $(OBJ)/linker.ld tools/symbols.py
	$(Q)$(SAY) "  LINK  $@"
	$(Q)$(LINK_KERNEL) -o $(BUILD)/kernel.pass1
	$(Q)$(NM) -n $(BUILD)/kernel.pass1 | python3 -B tools/symbols.py >$(OBJ)/ksyms.S
	$(Q)$(CC) -c $(OBJ)/ksyms.S -o $(OBJ)/ksyms.o
	$(Q)$(LINK_KERNEL) $(OBJ)/ksyms.o -Wl,-Map=$(BUILD)/kernel.map -o $@
	$(Q)$(NM) -n $@ | python3 -B tools/symbols.py --verify $(OBJ)/ksyms.S

kernel: $(KERNEL) ## the kernel alone

-include $(KERNEL_OBJECTS:.o=.d) $(OBJ)/linker.ld.d

.PHONY: kernel
