"""Windows cover a scene, and what they answer is blended without a seam."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.prediction.windows import Batching, Part, Sweep, strips


def reader(image, unknown):
    """Reads windows of an image (C, H, W), its last rows and columns repeated beyond it."""

    def read(row, col, size):
        height, width = size
        part = image[:, row : row + height, col : col + width]
        pad = (0, width - part.shape[2], 0, height - part.shape[1])
        part = F.pad(part[None], pad, mode="replicate")
        hole = np.zeros((height, width), bool)
        known = unknown[row : row + height, col : col + width]
        hole[: known.shape[0], : known.shape[1]] = known
        return Part(part, hole, torch.zeros(len(part)))

    return read


def joined(image, answer, sweep, channels, stride=1, unknown=None):
    height, width = image.shape[1:]
    unknown = np.zeros((height, width), bool) if unknown is None else unknown
    found = list(
        strips(sweep, reader(image, unknown), answer, channels, Batching(3, 2), stride, "test")
    )
    assert [s.row for s in found] == list(np.cumsum([0] + [s.values.shape[1] for s in found])[:-1])
    values = torch.cat([s.values for s in found], dim=1)
    return values, np.concatenate([s.unknown for s in found])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([(64, 0), (64, 32), (128, 32),
       (512, 64), (256, 224)]))  # fmt: skip
def test_windows_cover_the_scene_on_the_grid_with_their_overlap(height, width, cut):
    window, overlap = cut
    sweep = Sweep.blended((height, width), window, overlap)
    for side, size, starts in (
        (height, sweep.window[0], sweep.rows), (width, sweep.window[1], sweep.cols),
    ):  # fmt: skip
        assert starts[0] == 0 and all(start % 32 == 0 for start in starts)
        assert side <= starts[-1] + size < side + 32
        assert all(start < side for start in starts)
        gaps = np.diff(starts)
        assert (gaps > 0).all() and (gaps <= window - overlap).all()


@pytest.mark.parametrize(("window", "overlap"), [(500, 64), (512, 60), (64, 64), (64, -32)])
def test_windows_off_the_grid_are_refused(window, overlap):
    with pytest.raises(EosfmError, match="multiples of 32"):
        Sweep.blended((1000, 1000), window, overlap)


@pytest.mark.parametrize("size", [(200, 300), (64, 500), (40, 50), (257, 129)])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_local_model_gives_what_it_gives_on_the_whole_image(size, stride):
    """Its padding shows in the outermost cells of a window, which count where no other's do."""
    torch.manual_seed(0)
    image = torch.randn(3, *size)
    conv = torch.nn.Conv2d(3, 2, 2 * stride - 1, stride, padding=stride - 1, padding_mode="zeros")

    def answer(images, days=None):
        return conv(images[:, 0]).detach()

    values, unknown = joined(image, answer, Sweep.blended(size, 64, 32), 2, stride)
    padded = F.pad(image[None], (0, -size[1] % 32, 0, -size[0] % 32), mode="replicate")
    whole = answer(padded[:, None])[0, :, : values.shape[1], : values.shape[2]]
    assert not unknown.any() and values.shape[1:] == tuple(-(-side // stride) for side in size)
    # At the scene's own end, a scene that is seen whole is not padded, others are.
    torch.testing.assert_close(values[:, :-1, :-1], whole[:, :-1, :-1], rtol=0, atol=1e-5)


def test_what_was_not_measured_is_not_computed():
    image = torch.zeros(1, 64, 256)
    unknown = np.zeros((64, 256), bool)
    unknown[:, :128] = True
    sweep, seen = Sweep.blended((64, 256), 64, 0), []

    def answer(images, days):
        seen.append(len(images))
        return images[:, 0] + 1

    values, found = joined(image, answer, sweep, 1, unknown=unknown)
    assert sum(seen) == 2
    np.testing.assert_array_equal(found, unknown)
    assert (values[:, :, 128:] == 1).all() and values.isfinite().all()


def test_windows_side_by_side_end_where_the_scene_does():
    sweep = Sweep.side_by_side((100, 64), (40, 64))
    assert (sweep.rows, sweep.cols) == ((0, 40, 60), (0,))


def test_a_log_gets_a_line_now_and_then_and_none_of_a_short_run(capsys, monkeypatch):
    image = torch.zeros(1, 96, 64)
    sweep = Sweep.blended((96, 64), 32, 0)

    def lines(every):
        monkeypatch.setattr("eosfm.core.progress.EVERY", every)
        joined(image, lambda images, days: images.flatten(1, 2), sweep, 1)
        return capsys.readouterr().err.splitlines()

    assert lines(30.0) == []
    told = lines(1e-9)
    done = [f"test: {n} of 6 windows" for n in (2, 4, 6)]
    assert [line.partition(", ")[0] for line in told] == done
    assert all(line.endswith(" left") for line in told)
