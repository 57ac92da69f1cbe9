# SPDX-License-Identifier: BSD-2-Clause
"""testing - what `make test` consists of: results, tests on this machine, tests in QEMU."""
