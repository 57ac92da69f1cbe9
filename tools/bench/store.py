# SPDX-License-Identifier: BSD-2-Clause
"""store.py - what is kept on disk: each boot's measurements as soon as it is over, and the whole run at the end.

FOLDER/parts/JOB.json is one boot; a later run uses it again if everything that made it is the same ("key"). A run that came to
its end removes the parts that the next one is to measure anew (plan.is_kept)."""
import contextlib
import hashlib
import json
import os
import statistics
import time

from bench.problem import Problem

FORMAT = 1


def digest_files(paths):
    total = hashlib.sha256()
    for path in paths:
        total.update(os.path.basename(path).encode() + b"\0")
        try:
            with open(path, "rb") as file:
                total.update(hashlib.sha256(file.read()).digest())
        except OSError as error:
            raise Problem(f"{path}: {error.strerror}") from error
    return total.hexdigest()


def digest_text(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def write_json(path, what):
    """Complete or not at all."""
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(what, file, indent=1)
            file.write("\n")
        os.replace(path + ".new", path)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error


def read_json(path):
    """None if there is no such file or it is damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


class Parts:
    def __init__(self, folder):
        self.folder = os.path.join(folder, "parts")

    def path(self, name):
        return os.path.join(self.folder, name + ".json")

    def find(self, name, key):
        """The part of that name if it was made from the same things, else None."""
        part = read_json(self.path(name))
        if isinstance(part, dict) and part.get("key") == key and isinstance(part.get("measurements"), list):
            return part
        return None

    def keep(self, name, key, measurements, facts):
        os.makedirs(self.folder, exist_ok=True)
        part = {"key": key, "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "measurements": measurements, "facts": facts}
        write_json(self.path(name), part)
        return part

    def remove(self, names):
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(self.path(name))


def load_run(path):
    """A saved run. Raises Problem if it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            run = json.load(file)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Problem(f"{path}: not a saved run: {error}") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT or not isinstance(run.get("measurements"), list):
        raise Problem(f"{path}: not a saved run of `make bench` (format {FORMAT})")
    return run


def combine(measurements):
    """One measurement for each mode, column, group and row: the median of several, with their spread."""
    together = {}
    for one in measurements:
        together.setdefault((one["mode"], one["column"], one["group"], one["row"]), []).append(one)
    combined = []
    for several in together.values():
        good = [one for one in several if "value" in one]
        if not good:
            combined.append(several[0])
            continue
        values = [one["value"] for one in good]
        whole = dict(good[0], value=statistics.median(values))
        if len(values) > 1:
            whole["least"], whole["most"], whole["times"] = min(values), max(values), len(values)
        combined.append(whole)
    return combined
