# SPDX-License-Identifier: BSD-2-Clause
"""problem.py - what stops a part of a run: one line for people. Everything that did run is kept and reported."""


class Problem(Exception):
    """What is wrong, and what to do about it: one line."""


def last_line(text, otherwise="no message"):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else otherwise


def explain_os(error, path):
    """One line for an OSError; a full disk is the usual one."""
    return f"{error.filename or path}: {error.strerror or error}"
