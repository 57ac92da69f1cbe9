# SPDX-License-Identifier: BSD-2-Clause
# run.mk - boots Lintel in QEMU: run, debug. Bad variables are refused before anything is built.

RUN_WORDS = BUILD=$(BUILD) CPUS=$(CPUS) MEM=$(MEM) PMEM=$(PMEM) PMEM_FILE=$(PMEM_FILE) ACCEL=$(ACCEL) BOOT=$(BOOT) \
	CPU=$(CPU) ICOUNT=$(ICOUNT) APPEND='$(subst ','\'',$(APPEND))' EXTRA='$(subst ','\'',$(EXTRA))'
RUN_SCRIPT = $(if $(SCRIPT),SCRIPT='$(subst ','\'',$(SCRIPT))')

ifneq ($(filter run debug bench-lintel fuzz door-kills crowded trace,$(MAKECMDGOALS)),)
ifneq ($(shell command -v python3),)
REFUSAL := $(shell tools/run --check $(RUN_WORDS) $(RUN_SCRIPT) 2>&1)
$(if $(REFUSAL),$(error $(REFUSAL)))
endif
endif

run: doctor-run ## boots it: BOOT, CPUS, MEM, PMEM, SCRIPT, EXTRA ... as below; Ctrl-A x leaves
	$(Q)$(MAKE) $(IMAGE_$(BOOT)) $(COMPILE_COMMANDS)
	$(Q)tools/run $(RUN_WORDS) $(RUN_SCRIPT)

TRACE_LOG = $(BUILD)/trace/serial.log

trace: doctor-run ## SCRIPT='...' with every call, fault, switch and interrupt recorded: Perfetto JSON, folded stacks
	$(Q)$(MAKE) $(IMAGE_$(BOOT))
	@mkdir -p $(BUILD)/trace
	$(Q)tools/run --serial=$(TRACE_LOG) $(RUN_WORDS) SCRIPT='trace on; $(subst ','\'',$(SCRIPT)); trace off; trace dump' \
		|| { status=$$?; echo "trace: the script did not end well ($$status); its output is in $(TRACE_LOG)"; }; \
	python3 -B tools/trace.py $(TRACE_LOG) $(BUILD)/trace && exit $${status:-0}

debug: doctor-run ## QEMU waits for gdb, which starts with all symbols (DEBUG=1 for the debug build)
	$(Q)$(MAKE) $(IMAGE_$(BOOT))
	$(Q)tools/debug $(RUN_WORDS) $(RUN_SCRIPT) -- $(KERNEL) $(PROGRAM_FILES)

doctor: ## says what is missing on this machine, and for what
	$(Q)tools/doctor --all

doctor-run:
	$(Q)tools/doctor --install run

doctor-test:
	$(Q)tools/doctor --install run test model interop

.PHONY: run trace debug doctor doctor-run doctor-test
