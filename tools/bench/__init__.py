# SPDX-License-Identifier: BSD-2-Clause
"""bench - Lintel and Linux side by side on the same emulated machine: packages, boots, tables, report."""
