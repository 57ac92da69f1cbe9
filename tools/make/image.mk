# SPDX-License-Identifier: BSD-2-Clause
# image.mk - the boot archive, the ISO for GRUB, the disk for UEFI. With EXTRA=dir they are made beside, in extra/.

ARCHIVE := $(BUILD)/boot.tar
TREE := $(SHARED)/tree/tree.tar
MANIFESTS := $(sort $(shell find servers drivers -name '*.manifest' 2>/dev/null))
MANIFEST_CHECK := $(OBJ)/manifest_check
IMAGES := $(BUILD)$(if $(EXTRA),/extra)
EFI_APPLICATION := $(BUILD)/BOOTX64.EFI
# What the chosen way of booting needs.
IMAGE_pvh := $(KERNEL) $(IMAGES)/boot.tar
IMAGE_grub := $(IMAGES)/lintel.iso
IMAGE_grub-uefi := $(IMAGES)/lintel.iso
IMAGE_uefi := $(IMAGES)/esp.img

# The tree is chosen once and kept, so that what was imported into pmem stays comparable. `make tree` chooses anew.
$(TREE): tools/tree.py
	$(Q)$(SAY) "  TREE  $@"
	$(Q)python3 -B tools/tree.py --out $(@D)

tree: ## packs the file tree that a boot imports into pmem anew (sources, /usr/share/doc, ...)
	$(Q)rm -f $(TREE)
	$(Q)$(MAKE) $(TREE)

$(MANIFEST_CHECK): tools/manifest_check.c servers/init/manifest.c servers/init/manifest.h $(GEN)/stamp
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -std=gnu17 -O1 -g $(WARNINGS) -Iservers -Iabi/include -I$(GEN)/include $(filter %.c,$^) -o $@

$(ARCHIVE): $(PROGRAM_FILES) $(MANIFESTS) $(if $(MANIFESTS),$(MANIFEST_CHECK)) $(TREE) tools/image
	$(Q)$(SAY) "  TAR   $@"
	$(Q)$(if $(MANIFESTS),$(MANIFEST_CHECK) $(PROGRAMS:%=bin/%) -- $(MANIFESTS))
	$(Q)tools/image archive $@ --programs $(PROGRAM_FILES) --manifests $(MANIFESTS) --share $(TREE) $(TREE:.tar=.sha256)

$(BUILD)/extra/boot.tar: $(ARCHIVE) FORCE
	@mkdir -p $(@D)
	$(Q)tools/image extra $@ --base $(ARCHIVE) --folder $(EXTRA)

$(IMAGES)/lintel.iso: $(KERNEL) $(IMAGES)/boot.tar tools/image tools/grub.cfg
	$(Q)$(SAY) "  ISO   $@"
	$(Q)tools/image iso $@ --kernel $(KERNEL) --archive $(IMAGES)/boot.tar --menu tools/grub.cfg

$(IMAGES)/esp.img: $(KERNEL) $(IMAGES)/boot.tar $(EFI_APPLICATION) tools/image
	$(Q)$(SAY) "  ESP   $@"
	$(Q)tools/image esp $@ --kernel $(KERNEL) --archive $(IMAGES)/boot.tar --application $(EFI_APPLICATION)

-include boot/uefi/uefi.mk # how BOOTX64.EFI is made

image: $(ARCHIVE) ## the boot archive

iso: $(IMAGES)/lintel.iso ## an ISO that GRUB boots from BIOS and from UEFI

esp: $(IMAGES)/esp.img ## an EFI system partition with our own loader

FORCE:
.PHONY: tree image iso esp FORCE
