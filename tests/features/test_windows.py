"""Sliding windows: every pixel is seen, and blending shows no seams."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.features.windows import sliding, task_windows
from eosfm.kinds import get_kind
from eosfm.params import ScaleProtocol, load_params

PROTOCOL = load_params().scales.mini.protocol.model_dump() | {"window": None, "overlap": 0}


def blended(windows, predict):
    """Predictions of all windows of one tile, blended; ``predict`` sees rows and columns."""
    rows, cols = torch.meshgrid(*(torch.arange(n).float() for n in windows.tile), indexing="ij")
    parts = [predict(windows.cut(rows, k), windows.cut(cols, k)) for k in range(windows.count)]
    return windows.blend(torch.stack(parts)[:, None])[0, 0], rows, cols


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16), st.data())
def test_every_pixel_is_in_a_window(height, width, window, data):
    overlap = data.draw(st.integers(0, window - 1))
    windows = sliding((height, width), window, overlap)
    seen = torch.zeros(height, width)
    for k in range(windows.count):
        part = windows.cut(seen, k)
        assert part.shape == windows.size
        part += 1
    assert (seen > 0).all()


def test_windows_overlap_by_at_least_what_was_asked():
    assert sliding((10, 4), 4, 1).origins == ((0, 0), (3, 0), (6, 0))
    assert sliding((11, 4), 4, 1).origins == ((0, 0), (2, 0), (5, 0), (7, 0))


def test_a_constant_stays_constant():
    result, *_ = blended(sliding((13, 9), 6, 3), lambda rows, cols: torch.full_like(rows, 2.5))
    torch.testing.assert_close(result, torch.full((13, 9), 2.5))


def test_a_ramp_stays_a_ramp():
    result, rows, cols = blended(sliding((13, 9), 6, 3), lambda rows, cols: 2 * rows - cols)
    torch.testing.assert_close(result, 2 * rows - cols)


def test_one_window_is_the_model_itself():
    windows = sliding((8, 8), 16, 4)
    logits = torch.randn(3, 2, 8, 8)
    assert windows.count == 1 and torch.equal(windows.blend(logits), logits)


def test_overlaps_weigh_by_the_distance_to_the_border():
    windows = sliding((1, 6), 4, 2)  # columns 0 to 3 say 0, columns 2 to 5 say 1
    assert windows.origins == ((0, 0), (0, 2))
    logits = torch.stack([torch.zeros(1, 1, 4), torch.ones(1, 1, 4)])
    expected = [0, 0, 0.5 / 2, 1.5 / 2, 1, 1]  # weights 0.5 1.5 1.5 0.5 over each window
    torch.testing.assert_close(windows.blend(logits)[0, 0, 0], torch.tensor(expected))


def test_items_count_windows_tile_by_tile():
    windows = sliding((8, 4), 4, 0)
    assert windows.items(np.array([0, 2])).tolist() == [0, 1, 4, 5]


def test_labels_of_whole_images_are_not_cut():
    assert task_windows(get_kind("classification"), (8, 8), 4, 1).count == 1
    assert task_windows(get_kind("segmentation"), (8, 8), 4, 1).count == 9
    assert task_windows(get_kind("segmentation"), (8, 8), None, 0).size == (8, 8)


def test_windows_that_do_not_advance_are_refused():
    with pytest.raises(EosfmError, match=r"overlap is 4 and protocol\.window 4"):
        ScaleProtocol(**PROTOCOL | {"window": 4, "overlap": 4})
