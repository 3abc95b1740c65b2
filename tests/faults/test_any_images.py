"""Images with arbitrary bytes changed or cut off: read, or refused in a line.

EOSFM_LONG tries ten times as many.
"""

import os
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.simulation.images import write_geotiff
from tests.faults.images import SIZE, encoded
from tests.faults.test_native_files import GREY, by_name

MUTATED = 5_000 if os.environ.get("EOSFM_LONG") else 500


def test_any_damage_of_an_image_is_read_or_refused_in_a_line(tmp_path: Path):
    """A fuzzer of half a thousand mutations: no traceback, no file but its own."""
    rng = np.random.default_rng(0)
    good = tmp_path / "good.tif"
    write_geotiff(good, GREY, 10.0, (500_000.0, 5_000_000.0))
    images = {"a.tif": good.read_bytes(), "a.png": encoded("PNG"), "a.jpg": encoded("JPEG")}
    for number in range(MUTATED):
        name = list(images)[number % 3]
        content = bytearray(images[name])
        for at in rng.integers(len(content), size=rng.integers(1, 9)):
            content[at] = rng.integers(256)
        if number % 5 == 0:
            content = content[: rng.integers(len(content))]
        path = tmp_path / name
        path.write_bytes(content)
        try:
            assert by_name(path).shape == (1, *SIZE)
        except EosfmError as error:
            assert name in str(error) and len(str(error)) < 600
