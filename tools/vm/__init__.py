# SPDX-License-Identifier: BSD-2-Clause
"""vm - the emulated machine: options, accelerator, pmem file, QEMU's command line. Used by tools/run and the tests."""
