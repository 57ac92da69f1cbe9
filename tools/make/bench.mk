# SPDX-License-Identifier: BSD-2-Clause
# bench.mk - Lintel and Linux side by side on the same emulated machine (docs/bench.md).
#
# BENCH=files,ipc picks groups: ipc memory files programs scaling boot. Everything goes below $(BUILD)/bench.

BENCH ?=
SAVE ?=
BENCH_RUN = python3 -B tools/bench run --build $(BUILD) --groups '$(BENCH)' --save '$(SAVE)'

bench: bench-ready ## Lintel beside Linux: tables, CSV, a drawn report; BENCH=files,ipc picks groups; SAVE=file keeps the run
	$(Q)$(BENCH_RUN)

bench-quick: bench-ready ## the ten essential rows in two minutes
	$(Q)$(BENCH_RUN) --quick

bench-exact bench-wall: bench-%: bench-ready
	$(Q)$(BENCH_RUN) --$*-only

bench-lintel: doctor-run ## Lintel alone: exact figures on the terminal (one guest instruction = 1 ns)
	$(Q)$(MAKE) $(IMAGE_$(BOOT))
	$(Q)tools/run $(RUN_WORDS) ICOUNT=1 SCRIPT=bench

# The two words after it are files, not targets.
ifeq ($(firstword $(MAKECMDGOALS)),bench-diff)
SAVED_RUNS := $(wordlist 2,9,$(MAKECMDGOALS))
$(if $(filter 2,$(words $(SAVED_RUNS))),,$(error make bench-diff A B: give two saved runs))
.PHONY: $(SAVED_RUNS)
$(SAVED_RUNS): bench-diff
	@:
endif

bench-diff: ## what changed between two saved runs: make bench-diff A B
	$(Q)python3 -B tools/bench diff $(SAVED_RUNS)

bench-ready:
	$(Q)tools/doctor --install run
	$(Q)tools/doctor --install bench || echo "bench: going on without drawings"
	$(Q)$(MAKE) $(KERNEL) $(ARCHIVE)

.PHONY: bench bench-quick bench-exact bench-wall bench-lintel bench-diff bench-ready
