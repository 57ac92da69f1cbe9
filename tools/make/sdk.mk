# SPDX-License-Identifier: BSD-2-Clause
# sdk.mk - everything that a program outside this tree needs, in one folder.

SDK := $(SHARED)/sdk

sdk: $(LIBC_READY) $(KIT) $(GEN)/stamp ## build/sdk: sysroot, bin/lintel-cc, pkg-config, CMake and meson files
	$(Q)tools/sdk --out $(SDK) --build $(BUILD)

.PHONY: sdk
