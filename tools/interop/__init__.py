# SPDX-License-Identifier: BSD-2-Clause
"""interop - programs that were not written for Lintel, run on pmfs, and what they say checked."""
