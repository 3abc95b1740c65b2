"""The command ``eosfm score``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eosfm.params import Params
    from eosfm.prediction.score import SceneScores


def score(
    name: Annotated[str | None, typer.Argument(help="A specialist of params.yaml.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="A downstream task instead, on whole scenes, blended as in a map."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the task's scenes: val or test; by default test.")
    ] = None,
    artifact: Annotated[
        Path | None,
        typer.Option(help="Ensemble that the task was fitted on; by default models/eosfm.pth."),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Side of the sliding window in pixels; by default as in training."),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(help="Overlap of the windows in pixels; by default an eighth, at least 32."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu or cuda, for a task; by default a GPU if there is one."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every metric as JSON, for a task by scene.")
    ] = False,
) -> None:
    """Score a trained specialist or task again, without training.

    A specialist is scored on its validation tiles, by every metric of its kind; a task's best fit
    on whole scenes, beside predictions of a single class. The miou of one scene is over the classes
    in its label or map, that of all scenes over all classes of the task.

    Example: eosfm score potsdam

    Example: eosfm score --task oscd
    """
    from eosfm.core.errors import EosfmError
    from eosfm.params import load_params
    from eosfm.prediction.cut import Cut
    from eosfm.prediction.score import score_task

    if (name is None) == (task is None):
        raise EosfmError("expected the name of a specialist, or --task and that of a task")
    params = load_params()
    if task is not None:
        ensemble = artifact or Path("models/eosfm.pth")
        scores = score_task(params, task, split or "test", ensemble, Cut(window, overlap, device))
        if as_json:
            print(json.dumps(vars(scores), indent=1))
        else:
            _print_task(scores, params.task(task).metric)
    elif name is not None:
        options = {
            "--split": split, "--artifact": artifact, "--window": window, "--overlap": overlap,
            "--device": device,
        }  # fmt: skip
        if given := [option for option, value in options.items() if value is not None]:
            raise EosfmError(
                f"{', '.join(given)} is for --task; a specialist is scored on its validation tiles "
                "as in training; leave it out"
            )
        _score_specialist(params, name, as_json)


def _score_specialist(params: "Params", name: str, as_json: bool) -> None:
    from eosfm.kinds import get_kind
    from eosfm.tiles.store import TileStore
    from eosfm.training.recipe import Recipe
    from eosfm.training.validate import validate_specialist

    store = TileStore(Path("data/tiles") / params.specialist(name).dataset)
    scores = validate_specialist(Recipe.resolve(params, name), store, Path())
    if as_json:
        print(json.dumps(scores, indent=1))
        return
    per_class = scores.pop("per_class")
    headline = get_kind(store.kind).headline
    for metric, value in scores.items():
        print(f"{metric:>24} {value:.4f}{' *' if metric == headline else ''}")
    for label, value in per_class.items():
        print(f"{label:>24} {'-' if value is None else f'{value:.4f}'}")


def _print_task(scores: "SceneScores", metric: str) -> None:
    if metric == "miou":
        print(f"{'scene':>24} miou of the classes in its label or map")
    for scene, values in scores.scenes.items():
        print(f"{scene:>24} {values[metric]:.4f}")
    print(f"{f'{metric} of {len(scores.scenes)} scenes':>24} {scores.all[metric]:.4f} *")
    for label, values in scores.constant.items():
        print(f"{f'{label} everywhere':>24} {values[metric]:.4f}")
