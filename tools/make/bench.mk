# SPDX-License-Identifier: BSD-2-Clause
# bench.mk - Lintel and Linux side by side on the same emulated machine (docs/bench.md).
#
# BENCH=files,ipc picks groups: ipc memory files programs scaling boot. Everything goes below $(BUILD)/bench.

BENCH ?=
SAVE ?=
BENCH_RUN = python3 -B tools/bench run --build $(BUILD) --groups '$(BENCH)' --save '$(SAVE)' --programs $(INTEROP)

# PostMark and SQLite are built where their group is wanted; without a word that is every group.
BENCH_PROGRAMS = $(if $(BENCH),$(findstring programs,$(BENCH)),$(filter bench bench-exact,$(MAKECMDGOALS)))

bench: bench-ready ## Lintel beside Linux: tables, CSV, a drawn report; BENCH=files,ipc picks groups; SAVE=file keeps the run
	$(Q)$(BENCH_RUN)

bench-quick: bench-ready ## the ten essential rows in two minutes
	$(Q)$(BENCH_RUN) --quick

bench-exact bench-wall: bench-%: bench-ready
	$(Q)$(BENCH_RUN) --$*-only

bench-lintel: doctor-run ## Lintel alone: exact figures on the terminal (one guest instruction = 1 ns)
	$(Q)$(MAKE) $(IMAGE_$(BOOT))
	$(Q)tools/run $(RUN_WORDS) ICOUNT=1 SCRIPT=bench

# ---- What a plugin in QEMU sees of rows (tools/meter) ----

ROW ?=
METER := $(BUILD)/meter.so
METER_SOURCES := $(sort $(wildcard tools/meter/*.c))

$(METER): $(METER_SOURCES) $(wildcard tools/meter/*.h)
	@mkdir -p $(@D)
	$(Q)$(SAY) "  LINK  $@"
	$(Q)$(HOST_CC) -std=gnu17 -O2 -g $(WARNINGS) -fPIC -shared -fvisibility=hidden $(METER_SOURCES) -lpthread -o $@

budget: meter-ready ## ROW=door_win4k (or several, with commas): where each instruction of the operation goes
	$(Q)python3 -B tools/meter budget --build $(BUILD) $(if $(ROW),--rows '$(ROW)')

lines: meter-ready ## ROW=...: cache lines that one CPU writes and another uses; by default of calls on 2 CPUs at once
	$(Q)python3 -B tools/meter lines --build $(BUILD) $(if $(ROW),--rows '$(ROW)')

scaling: meter-ready ## calls by 2 threads on 2 CPUs against those by 1, wall time; repeats until the machine is quiet
	$(Q)python3 -B tools/meter scaling --build $(BUILD) $(if $(ROW),--rows '$(ROW)')

stores: meter-ready ## SCRIPT='...' (default: the file tree and `bench files`): does any store into the NVDIMM go around pmfs?
	$(Q)python3 -B tools/meter stores --build $(BUILD) $(if $(SCRIPT),--script '$(subst ','\'',$(SCRIPT))')

meter-ready: doctor-run
	$(Q)$(MAKE) $(KERNEL) $(ARCHIVE) $(METER)

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

bench-programs: ## PostMark and SQLite's speedtest1, from Debian's sources, for Lintel and for Linux
	$(Q)tools/doctor --install run interop
	$(Q)$(MAKE) sdk
	$(Q)$(MAKE) $(BENCH_PROGRAM_FILES)

bench-ready:
	$(Q)tools/doctor --install run
	$(Q)tools/doctor --install bench || echo "bench: going on without drawings"
	$(Q)$(MAKE) $(KERNEL) $(ARCHIVE) $(METER)
	$(if $(BENCH_PROGRAMS),$(Q)$(MAKE) bench-programs || echo "bench: going on without PostMark and SQLite")

.PHONY: budget lines scaling stores meter-ready bench bench-quick bench-exact bench-wall bench-lintel bench-diff bench-ready bench-programs
