"""DIOR's reader and recipe."""

from xml.etree import ElementTree

import numpy as np
import pytest
from torchgeo.datasets import DIOR

from eosfm.datasets.dior import CLASSES, DATASET
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipes.dior import SCENERY
from tests.datasets.damage import edit, refuses, remove, write

ANNOTATION = "Annotations/trainval/00001.xml"


def things(*boxes):
    """An annotation of (class name, x_min, y_min, x_max, y_max) rows."""
    root = ElementTree.Element("annotation")
    for name, *corners in boxes:
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = name
        place = ElementTree.SubElement(thing, "bndbox")
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            ElementTree.SubElement(place, side).text = str(value)
    return ElementTree.tostring(root)


@pytest.mark.parametrize("split", ["train", "val"])
def test_torchgeo_reads_the_same(simulated, whole, split):
    root = simulated(DATASET, train=13, val=3)
    theirs = DIOR(str(root), split=split)
    ours = [scene for scene in DATASET.scenes(root) if scene.split == split]
    assert len(ours) == len(theirs)
    for index, scene in enumerate(ours):
        sample, target = theirs[index], scene.target(whole(scene))
        np.testing.assert_array_equal(scene.image(whole(scene))[0], sample["image"].numpy())
        np.testing.assert_array_equal(target[:, :4], sample["bbox_xyxy"].numpy())
        np.testing.assert_array_equal(target[:, 4], sample["label"].numpy())
    assert DIOR.classes == CLASSES


def test_test_images_have_no_boxes_and_are_not_read(simulated):
    root = simulated(DATASET, train=2, val=1, test=3)
    assert [scene.split for scene in DATASET.scenes(root)] == ["train", "train", "val"]
    assert len(list((root / "Images" / "test").glob("*.jpg"))) == 3


def test_boxes_go_to_the_window_that_holds_their_middle(tiny):
    root = tiny(DATASET)
    boxes = (("ship", 2, 4, 12, 30), ("Expressway-Service-area", 20, 10, 40, 30))
    (root / ANNOTATION).write_bytes(things(*boxes))
    scene = next(iter(DATASET.scenes(root)))
    assert scene.target(Window(0, 0, 64, 64)).tolist() == [[2, 4, 12, 30, 13], [20, 10, 40, 30, 7]]
    assert scene.target(Window(0, 0, 32, 25)).tolist() == [[2, 4, 12, 30, 13]]
    assert scene.target(Window(8, 25, 20, 39)).tolist() == [[0, 2, 15, 20, 7]]
    assert scene.target(Window(40, 0, 24, 64)).shape == (0, 5)
    assert scene.target(Window(0, 0, 64, 64)).dtype == np.float32


def test_an_image_without_objects_has_no_rows(tiny):
    root = tiny(DATASET)
    (root / ANNOTATION).write_bytes(things())
    assert next(iter(DATASET.scenes(root))).target(Window(0, 0, 64, 64)).shape == (0, 5)


def test_every_kind_is_drawn_inside_the_image(simulated, whole):
    scenes = list(DATASET.scenes(simulated(DATASET, train=len(SCENERY) * 2)))
    targets = [scene.target(whole(scene)) for scene in scenes]
    assert all(len(rows) for rows in targets)
    assert {CLASSES[int(row[4])] for rows in targets for row in rows} == set(SCENERY)
    rows = np.concatenate(targets)
    assert (rows[:, :2] >= 0).all() and (rows[:, 2:4] <= 64).all()
    assert (rows[:, 2:4] - rows[:, :2] >= 2).all()


IMAGE, TABLE = "Images/trainval/00001.jpg", "sample_df.csv"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("00001.jpg not found", remove(IMAGE)),
    ("sample_df.csv not found", remove(TABLE)),
    (
        "unknown class 'spaceship'; did you mean 'ship'",
        write(ANNOTATION, things(("spaceship", 1, 2, 3, 4))),
    ),
    ("expected a Pascal VOC annotation", write(ANNOTATION, things(("ship", 1, "", 3, 4)))),
    ("has the columns image, label, split", write(TABLE, "image,label,split\n")),
    ("unknown split 'training'; did you mean 'train'", edit(TABLE, ",train", ",training")),
)
