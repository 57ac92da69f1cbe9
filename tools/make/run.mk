# SPDX-License-Identifier: BSD-2-Clause
# run.mk - boots Lintel in QEMU: run, debug. Bad variables are refused before anything is built.

RUN_WORDS = BUILD=$(BUILD) CPUS=$(CPUS) MEM=$(MEM) PMEM=$(PMEM) PMEM_FILE=$(PMEM_FILE) ACCEL=$(ACCEL) BOOT=$(BOOT) \
	CPU=$(CPU) ICOUNT=$(ICOUNT) EXTRA='$(subst ','\'',$(EXTRA))'
RUN_SCRIPT = $(if $(SCRIPT),SCRIPT='$(subst ','\'',$(SCRIPT))')

ifneq ($(filter run debug bench-lintel fuzz,$(MAKECMDGOALS)),)
ifneq ($(shell command -v python3),)
REFUSAL := $(shell tools/run --check $(RUN_WORDS) $(RUN_SCRIPT) 2>&1)
$(if $(REFUSAL),$(error $(REFUSAL)))
endif
endif

run: doctor-run ## boots it: BOOT, CPUS, MEM, PMEM, SCRIPT, EXTRA ... as below; Ctrl-A x leaves
	$(Q)$(MAKE) $(IMAGE_$(BOOT)) $(COMPILE_COMMANDS)
	$(Q)tools/run $(RUN_WORDS) $(RUN_SCRIPT)

debug: doctor-run ## QEMU waits for gdb, which starts with all symbols (DEBUG=1 for the debug build)
	$(Q)$(MAKE) $(IMAGE_$(BOOT))
	$(Q)tools/debug $(RUN_WORDS) $(RUN_SCRIPT) -- $(KERNEL) $(PROGRAM_FILES)

doctor: ## says what is missing on this machine, and for what
	$(Q)tools/doctor --all

doctor-run:
	$(Q)tools/doctor --install run

doctor-test:
	$(Q)tools/doctor --install run test

.PHONY: run debug doctor doctor-run doctor-test
