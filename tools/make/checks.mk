# SPDX-License-Identifier: BSD-2-Clause
# checks.mk - lint, licences, sizes.

lint: $(GEN)/stamp ## include directions, licences' headers, text, thread safety, cppcheck, ABI goldens
	$(Q)tools/doctor --install run lint
	$(Q)tools/lint/all --build $(BUILD)

license-check: $(KERNEL) $(PROGRAM_FILES) ## proves that no GPL file is in a server; writes the image's SBOM
	$(Q)python3 -B tools/license_check.py --build $(BUILD) --sbom $(BUILD)/sbom.spdx.json kernel $(PROGRAMS)

size: $(KERNEL) $(PROGRAM_FILES) ## code and data by room, by object and by program
	$(Q)python3 -B tools/size.py --build $(BUILD) --kernel $(KERNEL) $(PROGRAM_FILES)

.PHONY: lint license-check size
