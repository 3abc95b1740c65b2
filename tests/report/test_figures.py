"""Layouts of the report's figures."""

import itertools

import matplotlib.pyplot as plt
import pytest

from eosfm.report.figures import panels


@pytest.mark.parametrize("count", [1, 6])
def test_numbers_and_titles_of_twin_panels_stay_apart_and_inside(count):
    drawn, grid = panels(["crop_type_south_sudan\nloss, accuracy"] * count, twins=True)
    both = []
    for axes in grid:
        both += [axes, axes.twinx()]
        for side in both[-2:]:
            side.tick_params(labelsize=7)
            side.plot([1, 4], [0.001, 0.0025])  # 0.0010 to 0.0025
    drawn.canvas.draw()
    of_panels, whole = [axes.get_tightbbox() for axes in both], drawn.bbox
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in of_panels)
    assert all(whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in of_panels)
    pairs = itertools.combinations(zip(of_panels[::2], of_panels[1::2], strict=True), 2)
    assert not any(mine.overlaps(other) for one, two in pairs for mine in one for other in two)
    plt.close(drawn)
