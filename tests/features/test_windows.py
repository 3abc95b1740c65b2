"""Windows: every pixel is seen, by as few windows as can be, and blending shows no seams."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eosfm.features.windows import covering, task_windows
from eosfm.kinds import get_kind


def blended(windows, predict):
    """Predictions of all windows of one tile, blended; ``predict`` sees rows and columns."""
    rows, cols = torch.meshgrid(*(torch.arange(n).float() for n in windows.tile), indexing="ij")
    parts = [predict(windows.cut(rows, k), windows.cut(cols, k)) for k in range(windows.count)]
    return windows.blend(torch.stack(parts)[:, None])[0, 0], rows, cols


@settings(deadline=None)  # the first example pays for imports
@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 80))
def test_every_pixel_is_in_a_window(height, width, window):
    windows = covering((height, width), window)
    seen = torch.zeros(height, width)
    for k in range(windows.count):
        part = windows.cut(seen, k)
        assert part.shape == windows.size
        part += 1
    assert (seen > 0).all()
    assert windows.count == -(-height // window) * -(-width // window)
    assert max(windows.size) <= window


@pytest.mark.parametrize(
    ("tile", "window", "size", "starts"),
    [(1024, 512, 512, [0, 512]), (1024, 520, 512, [0, 512]), (520, 520, 520, [0]),
     (520, 512, 288, [0, 232]), (1000, 512, 512, [0, 488]), (496, 520, 496, [0]),
     (64, 24, 24, [0, 20, 40])],
)  # fmt: skip
def test_windows_are_few_and_overlap_little(tile, window, size, starts):
    windows = covering((tile, tile), window)
    assert windows.size == (size, size)
    assert windows.origins == tuple((row, col) for row in starts for col in starts)


def test_a_constant_stays_constant():
    result, *_ = blended(covering((13, 9), 6), lambda rows, cols: torch.full_like(rows, 2.5))
    torch.testing.assert_close(result, torch.full((13, 9), 2.5))


def test_a_ramp_stays_a_ramp():
    result, rows, cols = blended(covering((13, 9), 6), lambda rows, cols: 2 * rows - cols)
    torch.testing.assert_close(result, 2 * rows - cols)


def test_one_window_is_the_model_itself():
    windows = covering((8, 8), 16)
    logits = torch.randn(3, 2, 8, 8)
    assert windows.count == 1 and torch.equal(windows.blend(logits), logits)


def test_overlaps_are_averaged():
    windows = covering((1, 6), 4)  # columns 0 to 3 say 0, columns 2 to 5 say 1
    assert windows.origins == ((0, 0), (0, 2))
    logits = torch.stack([torch.zeros(1, 1, 4), torch.ones(1, 1, 4)])
    assert windows.blend(logits)[0, 0, 0].tolist() == [0, 0, 0.5, 0.5, 1, 1]


def test_cut_targets_join_to_the_tiles_they_are_from():
    windows = covering((13, 9), 6)
    tiles = torch.randint(0, 9, (2, 13, 9), dtype=torch.uint8)
    cut = torch.stack([windows.cut(tile, k) for tile in tiles for k in range(windows.count)])
    assert torch.equal(windows.join(cut), tiles)


def test_items_count_windows_tile_by_tile():
    windows = covering((8, 4), 4)
    assert windows.items(np.array([0, 2])).tolist() == [0, 1, 4, 5]


def test_labels_of_whole_images_are_not_cut():
    assert task_windows(get_kind("classification"), (8, 8), 4).count == 1
    assert task_windows(get_kind("segmentation"), (8, 8), 4).count == 4
    assert task_windows(get_kind("segmentation"), (8, 8), None).size == (8, 8)
