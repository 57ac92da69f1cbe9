# SPDX-License-Identifier: GPL-2.0-only
# uefi.mk - $(BUILD)/BOOTX64.EFI with GNU-EFI (Debian: gnu-efi). It is linked as a shared object that relocates itself,
# then turned into a PE file; the list of sections is what the firmware needs.

EFI_APPLICATION := $(BUILD)/BOOTX64.EFI
EFI_OBJECTS := $(patsubst %,$(OBJ)/efi/%.o,$(wildcard boot/uefi/*.c))
EFI_HEADERS ?= /usr/include/efi
EFI_LIBRARIES ?= /usr/lib
EFI_FLAGS := -std=gnu17 -O2 -ffreestanding -fpic -fshort-wchar -mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -DGNU_EFI_USE_MS_ABI -Wall -Wextra -Werror -Wshadow -I. -Iabi/include \
	-I$(GEN)/include -isystem $(EFI_HEADERS) -isystem $(EFI_HEADERS)/x86_64

$(OBJ)/efi/%.c.o: %.c | $(GEN)/stamp
	$(call compile,$(EFI_FLAGS))

$(EFI_APPLICATION): $(EFI_OBJECTS)
	$(Q)$(SAY) "  EFI   $@"
	$(Q)ld -nostdlib -shared -Bsymbolic -znocombreloc --no-undefined --no-warn-rwx-segments \
		-T $(EFI_LIBRARIES)/elf_x86_64_efi.lds $(EFI_LIBRARIES)/crt0-efi-x86_64.o $(EFI_OBJECTS) \
		-L$(EFI_LIBRARIES) -lefi -lgnuefi -o $(OBJ)/efi/bootx64.so
	$(Q)objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j '.rela*' -j .reloc \
		--target efi-app-x86_64 --subsystem 10 $(OBJ)/efi/bootx64.so $@

-include $(EFI_OBJECTS:.o=.d)
