# SPDX-License-Identifier: BSD-2-Clause
"""test_probe.py - the guest that decides between KVM and TCG: it ends well with a CPU that has extended state and with
one that has none, and what it does not end as it should is told."""
import os
import unittest

from vm import accel

BUILD = os.environ.get("LINTEL_BUILD", "build/release")
SECONDS = 60


class Probe(unittest.TestCase):
    def test_ends_well(self):
        image = accel.build_probe(BUILD)
        for model in ("max", "qemu64"):
            self.assertEqual(accel.probe("tcg", model, image, SECONDS), "", model)

    def test_a_guest_that_hangs(self):
        image = os.path.join(BUILD, "test", "probe-hangs.bin")
        os.makedirs(os.path.dirname(image), exist_ok=True)
        with open(image, "wb") as file:
            file.write(b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa")  # cli, hlt, and again
            file.truncate(1 << 20)
        self.assertIn("has not ended", accel.probe("tcg", "max", image, 2))

    def test_no_such_model(self):
        self.assertNotEqual(accel.probe("tcg", "no-such-cpu", accel.build_probe(BUILD), SECONDS), "")


if __name__ == "__main__":
    unittest.main()
