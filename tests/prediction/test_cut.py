"""How a scene is cut where the user says little."""

import pytest

from eosfm.core.errors import EosfmError
from eosfm.prediction.cut import Cut
from eosfm.prediction.windows import Batching


@pytest.mark.parametrize(
    ("cut", "usual", "window", "overlap"),
    [(Cut(), 512, 512, 64), (Cut(), 128, 128, 32), (Cut(), 60, 64, 32), (Cut(), 32, 32, 0),
     (Cut(256), 512, 256, 32), (Cut(256, 0), 64, 256, 0)],
)  # fmt: skip
def test_windows_are_as_in_training_unless_asked_for(cut, usual, window, overlap):
    sweep = cut.sweep((2000, 2000), usual)
    assert (sweep.window, sweep.overlap) == ((window, window), overlap)


@pytest.mark.parametrize(
    ("size", "window", "dates", "batch", "workers"),
    [(2000, 64, 1, 64, 4), (2000, 512, 1, 1, 4), (900, 512, 1, 1, 4), (512, 512, 1, 1, 1),
     (512, 64, 1, 64, 4), (2000, 512, 2, 1, 2), (2000, 512, 12, 1, 1), (8000, 4096, 1, 1, 1)],
)  # fmt: skip
def test_several_batches_at_a_time_where_there_is_memory_for_them(
    monkeypatch, size, window, dates, batch, workers
):
    monkeypatch.setattr("eosfm.prediction.cut.cores", lambda: 6)
    cut = Cut(window, 0, device="cpu")
    assert cut.load(cut.sweep((size, size), window), dates) == Batching(batch, workers)


@pytest.mark.parametrize("device", ["tpu", "meta"])
def test_a_device_that_computes_nothing_is_refused(device):
    with pytest.raises(EosfmError, match=f"--device {device} cannot be used"):
        _ = Cut(32, 0, device=device).where
