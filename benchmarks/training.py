"""How short may a specialist's training be, and do common start weights make it shorter?

python benchmarks/training.py potsdam ben_rgb --as 2x30 --as 4x60,batch=8 \
    --as 2x30,start=models/specialists/sen12ms_rgb.pt,lr=5e-4

Each specialist is trained as params.yaml says and then in each of the other ways (epochs x steps,
and what else differs: batch, crop, lr, loss, balanced, optimizer, seed, start), from the tiles of a
`dvc repro`; of another simulated Earth, where params.yaml has another seed.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from eosfm.core.seeds import derive_seed
from eosfm.nn.start import FILE
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.training.recipe import Recipe
from eosfm.training.train import train_specialist


def changed(recipe: Recipe, way: str) -> tuple[Recipe, Path]:
    """A recipe trained in another way, and the file of the weights that it begins with."""
    length, *words = way.split(",")
    epochs, steps = map(int, length.split("x"))
    values = dict(word.split("=") for word in words)
    fields: dict[str, Any] = {"epochs": epochs, "steps_per_epoch": steps}
    forms = {
        "batch": ("batch_size", int), "crop": ("crop", int), "lr": ("lr", float),
        "loss": ("loss", str),
    }  # fmt: skip
    for key, (field, form) in forms.items():
        if key in values:
            fields[field] = form(values[key])
    if "balanced" in values:
        fields["balanced"] = bool(int(values["balanced"]))
    if "seed" in values:
        fields["seed"] = derive_seed(int(values["seed"]), "train", recipe.name)
    if "optimizer" in values:
        fields["method"] = recipe.method.model_copy(update={"optimizer": values["optimizer"]})
    other = replace(recipe, pretrained="start" in values, **fields)
    return other, Path(values.get("start", FILE))


def main(
    specialists: list[str],
    ways: Annotated[list[str], typer.Option("--as", help="EPOCHSxSTEPS,KEY=VALUE,...")],
    tiles: Path = Path("data/tiles"),
) -> None:
    """Validation score and processor seconds of each training."""
    params = load_params()
    table = Table("specialist", "trained", "metric", "score", "best epoch", "processor s")
    for name in specialists:
        recipe, store = (
            Recipe.resolve(params, name),
            TileStore(tiles / params.specialist(name).dataset),
        )
        usual = f"{recipe.epochs}x{recipe.steps_per_epoch}"
        for way in (usual, *ways):
            other, start = changed(recipe, way)
            before = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                out, scratch = Path(folder, "out.pt"), Path(folder)
                result = train_specialist(other, store, out, scratch, start=start)
            table.add_row(
                name, way, result.metric, f"{result.score:.3f}", str(result.epoch),
                f"{time.process_time() - before:.0f}",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
