# SPDX-License-Identifier: BSD-2-Clause
"""hosts.py - tests that run as programs on this machine: cmocka binaries, python unit tests, system tests."""
import contextlib
import glob
import os
import re
import subprocess
import sys
import time
import unittest

from testing.results import build

UNIT_SECONDS = 300  # a hang detector, not a target
SYSTEM_SECONDS = 900


def run_program(command, log, seconds, environment=None):
    """(status, output); status None when it hangs."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "w+", encoding="utf-8", errors="replace") as file:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                    timeout=seconds, env=environment, check=False).returncode
        except subprocess.TimeoutExpired:
            status = None
        file.seek(0)
        return status, file.read()


def unit_program(options, source):
    return os.path.join(options.build, "test/unit", os.path.basename(source)[:-2])


def unit_environment(source):
    """A test whose head says `asan: OPTION=VALUE` runs with that instead of the usual."""
    with open(source, encoding="utf-8") as file:
        own = re.search(r"^ \* asan: (\S+)", file.read(2000), re.M)
    return dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", UBSAN_OPTIONS="print_stacktrace=1",
                ASAN_OPTIONS=own.group(1) if own else "detect_stack_use_after_return=1")


def run_unit(options, results):
    sources = sorted(glob.glob("tests/unit/test_*.c"))
    for source in sources:  # a program of the last time must not stand in for one that no longer builds
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unit_program(options, source))
    build(results, options, ["-k", "unit-tests"])
    for source in sources:
        program = unit_program(options, source)
        name = os.path.basename(program)
        if not os.path.exists(program):
            results.fail(name, "does not build")
            continue
        started = time.monotonic()
        status, output = run_program([program], program + ".log", UNIT_SECONDS, unit_environment(source))
        passed = len(re.findall(r"^ok \d", output, re.M))
        broken = re.findall(r"^not ok \d+ - (.*)$", output, re.M)
        for test in broken:
            results.fail(f"{name}/{test}", f"see {program}.log")
        if status is None:
            results.fail(name, f"hangs (more than {UNIT_SECONDS} s; log: {program}.log)")
        elif (status != 0 and not broken) or passed + len(broken) == 0:
            why = re.search(r"^.*(ERROR: \w*Sanitizer.*|runtime error.*)$", output, re.M)
            results.fail(name, f"{why.group(1) if why else f'exit status {status}'} (log: {program}.log)")
        results.ok(passed)
        results.group(name, passed, len(broken), time.monotonic() - started)


class CountingResult(unittest.TextTestResult):
    """Tells each failure as one line as soon as it is known."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.results = None
        self.good = self.bad = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.good += 1
        self.results.ok()

    def tell(self, test, error):
        self.bad += 1
        lines = str(error[1]).strip().splitlines() or [error[0].__name__]
        self.results.fail(test.id(), lines[0])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.tell(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.tell(subtest, err)


def run_unittests(folder, options, results):
    tests = glob.glob(os.path.join(folder, "test_*.py"))
    if not tests:
        return
    for path in tests:  # another folder's test of the same name is another test
        sys.modules.pop(os.path.basename(path)[:-3], None)
    sys.path.insert(0, os.path.abspath(folder))
    log = os.path.join(options.build, "test", results.part + ".log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    started = time.monotonic()
    with open(log, "w", encoding="utf-8") as stream:
        suite = unittest.TestLoader().discover(folder, "test_*.py", folder)
        runner = unittest.TextTestRunner(stream=stream, verbosity=2, resultclass=CountingResult)
        make = runner._makeResult

        def make_result():
            result = make()
            result.results = results
            return result
        runner._makeResult = make_result
        result = runner.run(suite)
    results.group(folder, result.good, result.bad, time.monotonic() - started)


def run_python(options, results):
    run_unittests("tests/unit", options, results)


def run_model(options, results):
    """A few cases of the door protocol's model; `make model` runs all, and the mistakes."""
    log = os.path.join(options.build, "test/model.log")
    started = time.monotonic()
    status, output = run_program(["tests/model/run", "--slice", "--out", os.path.join(options.build, "test/model")], log,
                                 SYSTEM_SECONDS)
    passed = len(re.findall(r" holds ", output))
    broken = re.findall(r"^(.*\S) +FAILS ", output, re.M)
    for case in broken:
        results.fail(case, f"see {log}")
    if status != 0 and not broken:
        results.fail("model", f"{'hangs' if status is None else f'exit status {status}'} (log: {log})")
    results.ok(passed)
    results.group("model", passed, len(broken), time.monotonic() - started)


def run_system(options, results):
    if not build(results, options, ["all", "iso", "esp"]):
        return
    run_unittests("tests/system", options, results)
    for script in sorted(glob.glob("tests/system/*.sh")):
        name = os.path.basename(script)
        log = os.path.join(options.build, "test/system", name + ".log")
        started = time.monotonic()
        status, output = run_program(["bash", script], log, SYSTEM_SECONDS)
        if status == 0:
            results.ok()
        else:
            last = (output.strip().splitlines() or ["no output"])[-1]
            results.fail(name, "hangs" if status is None else f"{last} (log: {log})")
        results.group(name, int(status == 0), int(status != 0), time.monotonic() - started)
