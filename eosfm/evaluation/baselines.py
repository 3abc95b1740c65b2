"""What the ensemble must beat: random weights, its best member, training from scratch, pixels.

Each baseline uses the head, protocol, labels and seeds of the evaluation (the first
``protocol.baseline_seeds`` of them), and one fixed fusion (1x1 convolution over all pyramids), so
that it does not depend on ``fusion.*``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.randomize import randomize
from eosfm.evaluation.evaluate import check_task, run_head
from eosfm.evaluation.fit import Trial, make_trials, repeat, run_fits
from eosfm.evaluation.forward_selection import ranked, screen
from eosfm.evaluation.images import Images
from eosfm.evaluation.linear_baseline import statistics_baseline
from eosfm.evaluation.probe import EndToEnd
from eosfm.features.store import (
    Reading,
    in_memory,
    open_split,
    reading,
    task_backbone,
)
from eosfm.model import EosFM
from eosfm.nn.backbone import build_backbone
from eosfm.params import Fusion, Params
from eosfm.tiles.store import TileStore

FIXED = Fusion(
    method="conv1x1",
    width_multiplier=1.0,
    normalize="layer",
    projection=False,
    max_encoders=None,
    selection="forward",
    scale_features=False,
    ablate=(),
)

CANDIDATES = 2
"""The best specialists alone, by :func:`eosfm.evaluation.forward_selection.screen`, get the whole
protocol; of these the better one on the validation split counts."""


def run_baselines(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path
) -> dict[str, dict[str, Any]]:
    """Score every baseline of a task.

    Returns:
        By baseline (``random``, ``single``, ``scratch``, ``statistics``), what
        :func:`eosfm.evaluation.fit.summarise` gives, and for ``single`` the ``specialist``.
    """
    check_task(params, name, store)
    trials = make_trials(params, name, store, params.current.protocol.baseline_seeds)
    sources = [reading(params, name, store, split) for split in SPLITS]
    splits = [open_split(params, name, store, features, artifact, split) for split in SPLITS]
    random = random_backbone(params, name, store, artifact)
    candidates = ranked(screen(splits[0], splits[1], trials[0]))[:CANDIDATES]
    jobs: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {
        ("scratch", ""): lambda: from_scratch(params, sources, trials),
        ("random", ""): lambda: run_head(FIXED, [in_memory(random, s) for s in sources], trials),
        **{
            ("single", member): partial(run_head, FIXED, [s.only([member]) for s in splits], trials)
            for member in candidates
        },
        ("statistics", ""): lambda: statistics_baseline(sources, trials[0]),
    }
    results = {key: _plain(result) for key, result in run_fits(jobs).items()}
    metric = trials[0].task.metric
    sign = -1 if metric == "rmse" else 1
    best = max(candidates, key=lambda member: sign * results["single", member]["val"][metric])
    return {
        "random": results["random", ""],
        "single": {**results["single", best], "specialist": best},
        "scratch": results["scratch", ""],
        "statistics": results["statistics", ""],
    }


def random_backbone(params: Params, name: str, store: TileStore, artifact: Path) -> EosFM:
    """The task's ensemble before any training."""
    specialists = randomize(load_artifact(artifact), derive_seed(params.seed, "random", name))
    return task_backbone(params, params.task(name), store, specialists, copy=False)


def from_scratch(
    params: Params, sources: Sequence[Reading], trials: Sequence[Trial]
) -> dict[str, Any]:
    """One backbone of the same kind, trained on the task's labels alone."""

    def build(trial: Trial) -> EndToEnd:
        bands = len(trial.task.bands)
        backbone: Any = build_backbone(params.backbone.name, bands, pretrained=False)
        return EndToEnd(backbone, backbone.feature_info.channels(), trial)

    return repeat(build, [Images(source) for source in sources], trials)


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the list of specialists, which a baseline does not choose."""
    return {key: value for key, value in result.items() if key != "selected"}
