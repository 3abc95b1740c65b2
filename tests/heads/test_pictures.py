"""What pictures of predictions show."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from eosfm.heads.pictures import DATES, RIGHT, UNLABELLED, WRONG, stretched
from eosfm.kinds import Examples, get_kind

TRUTH = torch.tensor([[0, 1], [1, 255]])
GUESS = torch.tensor([[0, 1], [0, 1]])


def examples(truth: torch.Tensor, guess: torch.Tensor, dates: int = 1) -> Examples:
    pictures = np.zeros((1, dates, 2, 2, 3))
    return Examples(pictures, "red", truth[None], guess[None], ("land", "water"), 255, (2, 2))


def drawn(kind: str, shown: Examples) -> list[np.ndarray]:
    """What is in each panel, from the top."""
    figure = get_kind(kind).draw(shown)
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_errors_are_marked_where_there_is_a_label():
    *_, error = drawn("segmentation", examples(TRUTH, GUESS))
    wanted = [[to_rgb(RIGHT), to_rgb(RIGHT)], [to_rgb(WRONG), to_rgb(UNLABELLED)]]
    assert error == pytest.approx(np.array(wanted))


def test_errors_of_values_are_differences():
    truth = torch.tensor([[1.0, 2.0], [3.0, torch.nan]])
    panels = drawn("regression", examples(truth, truth + torch.tensor([0.5, -1.0])))
    error = np.ma.filled(panels[3], np.nan)
    assert error == pytest.approx(np.array([[0.5, -1.0], [0.5, np.nan]]), nan_ok=True)


@pytest.mark.parametrize(("dates", "rows"), [(1, 1), (2, 2), (12, DATES)])
def test_a_long_series_is_not_a_long_picture(dates, rows):
    assert len(drawn("segmentation", examples(TRUTH, GUESS, dates))) == rows + 3


def test_clouds_on_one_date_leave_the_other_visible():
    land = torch.linspace(0, 1, 64).view(1, 1, 1, 8, 8)
    images = torch.cat([land, 20 * land], dim=1)
    pictures, caption = stretched(images, ["vv"])
    assert caption == "vv" and pictures.shape == (1, 2, 8, 8, 3)
    # A dull image is stretched as far as one of half the usual contrast would be.
    assert pictures[:, 1].max() == pytest.approx(1) and pictures[:, 0].max() > 0.15
