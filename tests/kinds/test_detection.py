"""Detection: which cell answers for what, the loss, what is found, and its score, by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.heads.fcos import REACH, START, Cells, Detector, Objects
from eosfm.kinds import KINDS, TargetStatistics
from eosfm.nn.pyramid import STRIDES

CHANNELS = (8, 16, 24, 32)
KIND = KINDS["detection"]
NONE = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.long)}


def detector(classes: int = 2, width: int = 16) -> Detector:
    return KIND.build_head("fcos", CHANNELS, classes, width, TargetStatistics((1,), 1))


def maps(batch: int, height: int, width: int) -> list[Tensor]:
    return [
        torch.randn(batch, channels, height >> i, width >> i) for i, channels in enumerate(CHANNELS)
    ]


def objects(*rows: tuple[float, ...]) -> Objects:
    """A target of rows x_min, y_min, x_max, y_max, class."""
    table = torch.tensor(rows).float()
    return {"boxes": table[:, :4], "labels": table[:, 4].long()}


def answers(*rows: tuple[float, ...], classes: int = 2, size: int = 64) -> Cells:
    """Cells that answer rows x_min, y_min, x_max, y_max, class, probability; all in the middle."""
    logits = torch.full((1, len(rows), classes), -torch.inf)
    for number, row in enumerate(rows):
        logits[0, number, int(row[4])] = math.log(row[5] / (1 - row[5]))
    outputs = {
        "cls_logits": logits,
        "bbox_regression": torch.full((1, len(rows), 4), 0.5),
        "bbox_ctrness": torch.full((1, len(rows), 1), torch.inf),
    }
    anchors = torch.tensor([row[:4] for row in rows]).float()
    return Cells(detector(classes), outputs, [anchors], (size, size))


def test_cells_cover_every_map_and_lie_in_its_middle() -> None:
    torch.manual_seed(0)
    cells = detector(3, 32)(maps(2, 16, 8), (64, 32))
    assert [len(level) for level in cells.anchors] == [128, 32, 8, 2]
    assert cells.outputs["cls_logits"].shape == (2, 170, 3)
    middles = [(level[:, :2] + level[:, 2:]) / 2 for level in cells.anchors]
    assert middles[0][0].tolist() == [2, 2] and middles[0][9].tolist() == [6, 6]
    assert middles[3].tolist() == [[16, 16], [16, 48]]
    assert cells.outputs["cls_logits"].sigmoid().mean().item() == pytest.approx(0.01, abs=0.01)


def test_cells_keep_their_place_where_the_size_is_no_multiple_of_the_stride() -> None:
    size = 100, 70
    shapes = [(math.ceil(size[0] / stride), math.ceil(size[1] / stride)) for stride in STRIDES]
    levels = [torch.zeros(1, width, *shape) for width, shape in zip(CHANNELS, shapes, strict=True)]
    for squares, (height, width), stride in zip(
        detector()(levels, size).anchors, shapes, STRIDES, strict=True
    ):
        middles = (squares[:, :2] + squares[:, 2:]) / 2
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        expected = torch.stack([columns, rows], -1).flatten(0, 1) * stride + stride / 2
        assert torch.equal(middles, expected)


def test_a_width_need_be_no_multiple_of_its_groups() -> None:
    assert len(detector(width=100)(maps(1, 16, 16), (64, 64)).objects()) == 1


def test_an_untrained_box_reaches_two_strides_to_each_side() -> None:
    head = detector(1)
    torch.nn.init.zeros_(head.head.regression_head.bbox_reg.weight)
    cells = head([torch.zeros(1, width, 16 >> i, 16 >> i) for i, width in enumerate(CHANNELS)],
                 (64, 64))  # fmt: skip
    cells.outputs["bbox_ctrness"][:] = torch.inf
    cells.outputs["cls_logits"][:] = -torch.inf
    cells.outputs["cls_logits"][:, 16 * 5 + 5] = 3.0  # its middle at 22, 22
    (found,) = cells.objects()
    reach = START * 4
    torch.testing.assert_close(
        found["boxes"], torch.tensor([[22 - reach, 22 - reach] + [22 + reach] * 2])
    )


def test_large_objects_belong_to_coarse_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell per map around the same point; a map is for a reach of 2 to 4 of its strides."""
    head = detector(1)
    sides = [REACH * stride / 2 for stride in (4, 8, 16, 32)]
    anchors = [torch.tensor([[100 - side, 100 - side, 100 + side, 100 + side]]) for side in sides]
    matched: list[Tensor] = []

    def look(targets: object, outputs: object, anchors: object, indices: list[Tensor]) -> dict:
        matched[:] = indices
        return {"loss": torch.zeros(())}

    monkeypatch.setattr(head.head, "compute_loss", look)

    def level(half: float) -> list[bool]:
        Cells(head, {}, anchors, (200, 200)).loss([objects((100 - half, 90, 100 + half, 110, 0))])
        return (matched[0] >= 0).tolist()

    assert level(15) == [True, False, False, False]
    assert level(17) == [False, True, False, False]
    assert level(63) == [False, False, True, False]
    assert level(400) == [False, False, False, True]


def test_the_loss_by_hand() -> None:
    # Four maps of which two have a cell; the first one's lies in the middle of the object.
    cells = Cells(
        detector(),
        {
            "cls_logits": torch.zeros(1, 2, 2),
            # Two, two, two and no sides of the square: half of the object.
            "bbox_regression": torch.tensor([[[2.0, 2, 2, 0], [2, 2, 2, 2]]]),
            "bbox_ctrness": torch.zeros(1, 2, 1),
        },
        [torch.tensor([[3.0, 3, 5, 5]]), torch.tensor([[98.0, 98, 102, 102]])],
        (128, 128),
    )
    # At probability 0.5 the focal loss is alpha / 4 ln 2, alpha 1/4 for the one that is true and
    # 3/4 for three that are not.
    expected = (0.25 + 3 * 0.75) / 4 * math.log(2) + 0.5 + math.log(2)
    loss = KIND.build_loss("fcos", 255)(cells, [objects((0, 0, 8, 8, 1))])
    assert loss.item() == pytest.approx(expected)


def test_images_without_objects_teach_what_is_ground() -> None:
    torch.manual_seed(1)
    head = detector(3)
    cells = head(maps(2, 8, 8), (32, 32))
    loss = KIND.build_loss("fcos", 255)(cells, [NONE, NONE])
    loss.backward()
    assert 0 < loss.item() < 100
    learnt = [p.grad for p in head.parameters() if p.grad is not None]
    assert learnt and all(gradient.isfinite().all() for gradient in learnt)
    again = head(maps(2, 8, 8), (32, 32))
    assert KIND.build_loss("fcos", 255)(again, [NONE, objects((0, 0, 9, 9, 0))]).isfinite()


def test_the_best_of_overlapping_boxes_of_a_class_is_kept() -> None:
    cells = answers(
        (0, 0, 10, 10, 0, 0.6),
        (0, 0, 10, 9, 0, 0.9),  # IoU 0.9 with the first
        (0, 0, 10, 10, 1, 0.5),
        (30, 30, 40, 40, 0, 0.0001),
    )
    (found,) = KIND.predict(cells)
    assert found["boxes"].tolist() == [[0, 0, 10, 9], [0, 0, 10, 10]]
    assert found["labels"].tolist() == [0, 1]
    assert found["scores"].tolist() == pytest.approx([math.sqrt(0.9), math.sqrt(0.5)])
    cells.outputs["bbox_ctrness"][:] = 0.0
    assert KIND.predict(cells)[0]["scores"][0].item() == pytest.approx(math.sqrt(0.9 * 0.5))


def test_boxes_end_where_the_image_does() -> None:
    cells = KIND.trim(answers((20, 20, 40, 60, 0, 0.9)), (50, 30))
    assert KIND.predict(cells)[0]["boxes"].tolist() == [[20, 20, 30, 50]]


def test_average_precision_by_hand() -> None:
    metrics = KIND.build_metrics(("ship", "plane", "dam"), 255)
    first, second = objects((0, 0, 10, 10, 0), (20, 20, 30, 30, 0)), objects((0, 0, 10, 10, 1))
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


def test_boxes_in_fractions_are_refused() -> None:
    boxes = np.array([[0.1, 0.2, 0.5, 0.9, 0]], np.float32)
    assert "within a pixel; expected x_min" in str(KIND.fault(boxes, (64, 64), 1, None))
    assert KIND.fault(boxes * 64, (64, 64), 1, None) is None
    assert KIND.fault(np.zeros((0, 5), np.float32), (64, 64), 1, None) is None
    for wrong in (boxes[0], boxes[:, :4]):
        assert "expected (n, 5)" in str(KIND.fault(wrong, (64, 64), 1, None))


@pytest.mark.parametrize(
    "box", [(70, 9, 90, 30), (-1, 9, 5, 30), (30, 9, 8, 40), (0, 0, 5, np.nan)]
)
def test_boxes_that_are_not_of_the_window_are_refused(box: tuple[float, ...]) -> None:
    """As where a reader gives those of the whole image, or width and height."""
    boxes = np.array([[0, 0, 40, 64, 0], [*box, 0]], np.float32)
    words = "in a window of 40 columns and 64 rows; expected x_min"
    assert words in str(KIND.fault(boxes, (64, 40), 1, None))
    assert KIND.fault(boxes[:1], (64, 40), 1, None) is None


def test_a_recall_of_three_fifths_reaches_its_point() -> None:
    """61 of the 101 recalls are at most 0.6, as COCO counts in float64."""
    metrics = KIND.build_metrics(("ship",), 255)
    places = [(20 * k, 0, 20 * k + 10, 10) for k in range(5)]
    found = answers(*((*place, 0, 0.9 - 0.1 * k) for k, place in enumerate(places[:3])), classes=1)
    metrics.update(found, [objects(*((*place, 0) for place in places))])
    assert metrics.compute()["map50"] == pytest.approx(61 / 101, abs=1e-9)


def test_nothing_found_scores_nothing() -> None:
    metrics = KIND.build_metrics(("ship",), 255)
    metrics.update(answers((0, 0, 9, 9, 0, 1e-9), classes=1), [objects((0, 0, 9, 9, 0))])
    assert metrics.compute() == {"map50": 0.0, "ap/ship": 0.0}


def test_the_constant_answer_is_the_mean_box_of_each_class() -> None:
    tiles = [
        np.array([[0, 0, 10, 10, 0], [2, 2, 12, 12, 0]], np.float32),
        np.empty((0, 5), np.float32),
        np.array([[30, 30, 40, 60, 2]], np.float32),
    ]
    statistics = KIND.target_statistics(tiles, 3, 255)
    assert statistics.counts == (2, 0, 1) and statistics.labelled == 3
    target = [objects(*tiles[0].tolist()), NONE, objects(*tiles[2].tolist())]
    state = torch.get_rng_state()
    cells = KIND.constant_logits(statistics, target)
    assert torch.equal(state, torch.get_rng_state())
    found = KIND.predict(cells)
    assert len(found) == 3 and all(rows["boxes"].equal(found[0]["boxes"]) for rows in found)
    assert found[0]["boxes"][:2].tolist() == [[1, 1, 11, 11], [30, 30, 40, 60]]
    assert found[0]["labels"][:2].tolist() == [0, 2]
    metrics = KIND.build_metrics(("a", "b", "c"), 255)
    metrics.update(cells, target)
    # The box of "c" is right in the last of three tiles; those before it found the like first.
    scores = metrics.compute()
    assert set(scores) == {KIND.headline, "ap/a", "ap/c"} and 0 < scores["ap/c"] < 1
    with pytest.raises(EosfmError, match="no labelled target in the training split"):
        KIND.target_statistics(tiles[1:2], 3, 255)


def test_focal_loss_takes_no_class_weights() -> None:
    with pytest.raises(EosfmError, match="focal loss does that; set it to none"):
        KIND.class_weights(TargetStatistics((3, 1), 4))


def test_a_tile_is_of_its_rarest_class() -> None:
    boxes = [np.array([[0, 0, 1, 1, label] for label in labels]).reshape(-1, 5)
             for labels in ((0, 1), (0,), ())]  # fmt: skip
    assert KIND.strata(boxes, 3, 255).tolist() == [1, 0, -1]
