# SPDX-License-Identifier: BSD-2-Clause
"""meter - what a stretch of a guest's run executed, shared and stored: a QEMU plugin, and names for what it saw."""
