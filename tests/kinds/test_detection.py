"""Detection: which cell answers for what, the loss, what is found, and its score, by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.kinds import (
    HEADLINE,
    build_head,
    build_loss,
    build_metrics,
    target_statistics,
    trivial_logits,
)
from eosfm.kinds.detection import (
    BOX,
    CELL,
    CENTRE,
    CLASS,
    assign,
    centrality,
    detections,
    join,
)

CHANNELS = (8, 16, 24, 32)
NONE = torch.empty(0, 5)


def answers(*rows: tuple[float, ...], classes: int = 2) -> Tensor:
    """(1, n, 8 + K) of rows x_min, y_min, x_max, y_max, class, probability; sure of the middle."""
    logits = torch.full((1, len(rows), classes), -torch.inf)
    for number, row in enumerate(rows):
        logits[0, number, int(row[4])] = math.log(row[5] / (1 - row[5]))
    boxes = torch.tensor([row[:4] for row in rows]).float()
    centre = torch.full((1, len(rows), 1), torch.inf)
    return join(boxes[None], torch.ones(len(rows), 3), centre, logits)


def test_the_head_knows_where_its_cells_are() -> None:
    torch.manual_seed(0)
    head = build_head("detection", "upernet", CHANNELS, 3, 32)
    maps = [torch.randn(2, width, 16 >> i, 8 >> i) for i, width in enumerate(CHANNELS)]
    logits = head(maps, (64, 32))
    assert logits.shape == (2, 128 + 32 + 8 + 2, 8 + 3)
    cells = logits[1, :, CELL]
    assert cells[0].tolist() == [2, 2, 4] and cells[9].tolist() == [6, 6, 4]
    assert cells[128].tolist() == [4, 4, 8] and cells[-1].tolist() == [16, 48, 32]
    assert (logits[..., 0] <= logits[..., 4]).all() and (logits[..., 2] >= logits[..., 4]).all()
    assert logits[..., CLASS].sigmoid().mean().item() == pytest.approx(0.01, abs=0.01)


def test_cells_answer_for_the_smallest_object_near_whose_middle_they_lie() -> None:
    cells = torch.tensor([[x, 10.0, 4.0] for x in (2, 6, 10, 14, 18, 30)])
    boxes = torch.tensor([[0.0, 0, 20, 20, 3], [8, 8, 13, 12, 1]])
    # Middles at 10 and 10.5, less than 6 away; the small box holds one cell.
    assert assign(cells, boxes)[:, 4].tolist() == [-1, 3, 1, 3, -1, -1]
    assert assign(cells, boxes)[2].tolist() == [8, 8, 13, 12, 1]


def test_large_objects_belong_to_coarse_maps() -> None:
    cells = torch.tensor([[100.0, 100.0, stride] for stride in (4, 8, 16, 32)])

    def level(half: float) -> list[bool]:
        box = torch.tensor([[100.0 - half, 90, 100 + half, 110, 0]])
        return (assign(cells, box)[:, 4] >= 0).tolist()

    assert level(15) == [True, False, False, False]
    assert level(16) == [False, True, False, False]
    assert level(63) == [False, False, True, False]
    assert level(400) == [False, False, False, True]


def test_centrality_by_hand() -> None:
    box = torch.tensor([[0.0, 0.0, 8.0, 4.0]] * 3)
    cells = torch.tensor([[4.0, 2.0, 4.0], [2.0, 2.0, 4.0], [2.0, 1.0, 4.0]])
    expected = [1.0, math.sqrt(2 / 6), math.sqrt(2 / 6 * 1 / 3)]
    assert centrality(cells, box).tolist() == pytest.approx(expected)


def test_the_loss_by_hand() -> None:
    cells = torch.tensor([[4.0, 4.0, 8.0], [20.0, 4.0, 8.0]])
    boxes = torch.tensor([[[0.0, 0.0, 8.0, 4.0], [16.0, 0.0, 24.0, 8.0]]])
    logits = join(boxes, cells, torch.zeros(1, 2, 1), torch.zeros(1, 2, 2))
    target = [torch.tensor([[0.0, 0.0, 8.0, 8.0, 1.0]])]
    # At probability 0.5 the focal loss is alpha / 4 ln 2, alpha 1/4 for the one that is true and
    # 3/4 for three that are not. The box covers half of the object; the cell lies in its middle.
    expected = (0.25 + 3 * 0.75) / 4 * math.log(2) + 0.5 + math.log(2)
    assert build_loss("detection", "fcos", 255)(logits, target).item() == pytest.approx(expected)
    weighted = build_loss("detection", "fcos", 255, class_weights=[2.0, 1.0])(logits, target)
    assert weighted.item() == pytest.approx(expected + 2 * 0.75 / 4 * math.log(2))


def test_images_without_objects_teach_what_is_ground() -> None:
    torch.manual_seed(1)
    head = build_head("detection", "upernet", CHANNELS, 3, 16)
    maps = [torch.randn(2, width, 8 >> i, 8 >> i) for i, width in enumerate(CHANNELS)]
    logits = head(maps, (32, 32))
    loss = build_loss("detection", "fcos", 255)(logits, [NONE, NONE])
    loss.backward()
    assert 0 < loss.item() < 100
    gradients = [p.grad for p in head.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    both = build_loss("detection", "fcos", 255)(
        logits.detach(), [NONE, torch.tensor([[0.0, 0, 9, 9, 0]])]
    )
    assert both.isfinite()


def test_the_best_of_overlapping_boxes_of_a_class_is_kept() -> None:
    logits = answers(
        (0, 0, 10, 10, 0, 0.6),
        (0, 0, 10, 9, 0, 0.9),  # IoU 0.9 with the first
        (0, 0, 10, 10, 1, 0.5),
        (30, 30, 40, 40, 0, 0.0001),
    )
    (found,) = detections(logits)
    expected = [[0, 0, 10, 9, 0, math.sqrt(0.9)], [0, 0, 10, 10, 1, math.sqrt(0.5)]]
    torch.testing.assert_close(found, torch.tensor(expected))
    unsure = logits.clone()
    unsure[..., CENTRE] = 0.0
    assert detections(unsure)[0][0, 5].item() == pytest.approx(math.sqrt(0.9 * 0.5))


def test_average_precision_by_hand() -> None:
    metrics = build_metrics("detection", ("ship", "plane", "dam"), 255)
    first = torch.tensor([[0.0, 0, 10, 10, 0], [20, 20, 30, 30, 0]])
    second = torch.tensor([[0.0, 0, 10, 10, 1]])
    # Ships: a hit, a miss, a hit. Precision 1 up to recall 1/2 (51 of 101 points), then 2/3.
    metrics.update(
        answers(
            (0, 0, 10, 6, 0, 0.9),  # IoU 0.6
            (50, 50, 60, 60, 0, 0.8),
            (20, 20, 30, 30, 0, 0.7),
            classes=3,
        ),
        [first],
    )
    # Planes: IoU 0.4 is none. Dams: found where there is none, which has no score of its own.
    metrics.update(answers((0, 0, 10, 4, 1, 0.9), (5, 5, 9, 9, 2, 0.9), classes=3), [second])
    ship = (51 * 1 + 50 * 2 / 3) / 101
    expected = {"map50": ship / 2, "ap/ship": ship, "ap/plane": 0.0}
    assert metrics.compute() == pytest.approx(expected, abs=1e-6)
    assert all(type(value) is float for value in metrics.compute().values())

    metrics.reset()
    metrics.update(answers((0, 0, 9, 9, 0, 0.9)), [NONE])
    with pytest.raises(EosfmError, match="no object in what was scored"):
        metrics.compute()


def test_nothing_found_scores_nothing() -> None:
    metrics = build_metrics("detection", ("ship",), 255)
    metrics.update(answers((0, 0, 9, 9, 0, 1e-9), classes=1), [torch.tensor([[0.0, 0, 9, 9, 0]])])
    assert metrics.compute() == {"map50": 0.0, "ap/ship": 0.0}


def test_the_trivial_answer_is_the_mean_box_of_each_class() -> None:
    tiles = [
        np.array([[0, 0, 10, 10, 0], [2, 2, 12, 12, 0]], np.float32),
        np.empty((0, 5), np.float32),
        np.array([[30, 30, 40, 60, 2]], np.float32),
    ]
    statistics = target_statistics("detection", tiles, 3, 255)
    assert statistics.counts == (2, 0, 1) and statistics.labelled == 3
    target = [torch.tensor(tile) for tile in tiles]
    logits = trivial_logits("detection", statistics, target)
    assert logits.shape == (3, 3, 8 + 3)
    found = detections(logits)
    assert all(rows.equal(found[0]) for rows in found)
    assert found[0][:2, :5].tolist() == [[1, 1, 11, 11, 0], [30, 30, 40, 60, 2]]
    assert found[0][:, 5].tolist() == sorted(found[0][:, 5].tolist(), reverse=True)
    metrics = build_metrics("detection", ("a", "b", "c"), 255)
    metrics.update(logits, target)
    # The box of "c" is right in the last of three tiles; those before it found the like first.
    scores = metrics.compute()
    assert set(scores) == {HEADLINE["detection"], "ap/a", "ap/c"} and 0 < scores["ap/c"] < 1
    with pytest.raises(EosfmError, match="no labelled target in the training split"):
        target_statistics("detection", tiles[1:2], 3, 255)


def test_boxes_of_the_head_reach_from_their_cells() -> None:
    head = build_head("detection", "upernet", CHANNELS, 1, 16)
    torch.nn.init.zeros_(head.boxes.bbox_reg.weight)
    maps = [torch.zeros(1, width, 2, 2) for width in CHANNELS]
    logits = head(maps, (8, 8))
    # Untrained, two strides to each side.
    assert logits[0, 0, BOX].tolist() == [2 - 8, 2 - 8, 2 + 8, 2 + 8]
