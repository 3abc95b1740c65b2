"""How a scene is cut where the user says little."""

import pytest

from eosfm.prediction.cut import Cut


@pytest.mark.parametrize(
    ("cut", "usual", "window", "overlap"),
    [(Cut(), 512, 512, 64), (Cut(), 128, 128, 32), (Cut(), 60, 64, 32), (Cut(), 32, 32, 0),
     (Cut(256), 512, 256, 32), (Cut(256, 0), 64, 256, 0)],
)  # fmt: skip
def test_windows_are_as_in_training_unless_asked_for(cut, usual, window, overlap):
    sweep = cut.sweep((2000, 2000), usual)
    assert (sweep.window, sweep.overlap) == ((window, window), overlap)


def test_a_batch_has_one_window_at_least():
    cut = Cut(device="cpu")
    assert (cut.batch(64**2), cut.batch(512**2), cut.batch(4096**2)) == (64, 1, 1)
