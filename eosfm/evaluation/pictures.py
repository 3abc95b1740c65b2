"""A picture of what a task's best fit predicts: some test tiles, their labels, its answers."""

from pathlib import Path

from eosfm.evaluation.fit import Answers
from eosfm.features.task import Task
from eosfm.heads.pictures import save, stretched
from eosfm.kinds import Examples
from eosfm.tiles.dataset import TileDataset, collate


def draw_answers(task: Task, answers: Answers, out: Path) -> None:
    """Draw images, labels and predictions side by side.

    Args:
        task: The task.
        answers: By test tile.
        out: The PNG to write; the same answers give the same bytes.
    """
    kind, store = task.kind, task.store
    tiles = TileDataset(store, "test", task.bands)
    shown = sorted(answers)
    batch = collate(kind)(tiles.__getitems__(task.indices("test")[shown].tolist()))
    pictures, caption = stretched(batch["image"][:, list(task.dates)], task.bands)
    figure = kind.draw(
        Examples(
            pictures,
            caption,
            kind.target(batch),
            [answers[tile] for tile in shown],
            store.classes,
            store.ignore_index,
            (store.shape[2], store.shape[3]),
        )
    )
    save(figure, out)
