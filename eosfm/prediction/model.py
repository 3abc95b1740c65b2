"""A task's best fit as one module: images in, logits out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eosfm.core.errors import EosfmError
from eosfm.core.tensors import check_sums
from eosfm.encoding.artifact import check_entries, load_entries, read_entries
from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.encoding.input import describe_input
from eosfm.evaluation.fitted import FittedTask, file_hash
from eosfm.fusion.fuser import Fuser
from eosfm.heads.linear_model import LinearModel
from eosfm.heads.temporal import build_merge
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.kinds.pixel import PixelKind
from eosfm.model import EosFM
from eosfm.nn.specialist import Specialist


class TaskModel(nn.Module):
    """Encoders, fusion, merging of dates and head, with the pixel model of late fusion if any.

    Args:
        fitted: The fit.
        specialists: The specialists that it uses.

    Raises:
        EosfmError: Weights and settings do not fit each other.
    """

    def __init__(self, fitted: FittedTask, specialists: Sequence[Specialist]) -> None:
        super().__init__()
        self.kind = kind = get_kind(fitted.kind)
        fuser = Fuser.from_settings(dict(fitted.fuser))
        given = describe_input(fitted.bands, None, fitted.standardize, None, None, fitted.units)
        encoder = EnsembleEncoder(specialists, fuser.inputs, given)
        self.backbone = EosFM(encoder, fuser)
        self.merge = build_merge(fitted.aggregation, fuser.out_channels, fitted.dates)
        # Statistics only initialise the head's weights, which are overwritten below.
        self.head = kind.build_head(
            fitted.head, self.merge.out_channels, len(fitted.classes), fitted.width,
            TargetStatistics((), 0),
        )  # fmt: skip
        parts: dict[str, nn.Module] = {
            "fuser": fuser, "merge": self.merge, "head": self.head, "encoder": encoder.models,
        }  # fmt: skip
        self.share = fitted.pixel_share
        if self.share:
            values, classes = fitted.weights["pixels"]["weight"].shape
            parts["pixels"] = self.pixels = LinearModel(values, classes)
        for name, weights in fitted.weights.items():
            parts[name].load_state_dict(weights)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor, days: Tensor) -> Any:
        """Logits of images (B, T, C, h, w), scaled as the task's tiles, and days (B, T)."""
        maps = self.backbone(images.flatten(0, 1))
        series = [level.unflatten(0, (-1, images.shape[1])) for level in maps]
        logits = self.head(self.merge(series, days), (images.shape[-2], images.shape[-1]))
        if not self.share:
            return logits
        assert isinstance(self.kind, PixelKind)
        return self.kind.mix(logits, self.pixels.of_pixels(images), self.share)


def load_model(fitted: FittedTask, artifact: Path) -> TaskModel:
    """Build a fitted task's model.

    Args:
        fitted: The fit.
        artifact: The ensemble that it was fitted on; ignored if the fit includes its specialists.

    Raises:
        EosfmError: The ensemble is another one or cannot be read, or the fit is no valid task.
    """
    specialists = read_ensemble(fitted, artifact)
    try:
        return TaskModel(fitted, specialists)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        # Raised by torch and Python for settings or weights that are not a task's.
        raise EosfmError(
            f"the file of task {fitted.task} does not open ({type(error).__name__}: "
            f"{str(error).strip().splitlines()[0][:120]}); run `dvc repro -f "
            f"evaluate@{fitted.task}`"
        ) from None


def read_ensemble(fitted: FittedTask, artifact: Path) -> list[Specialist]:
    """The specialists of a fitted task, from its own file or the artifact that it was fitted on.

    Raises:
        EosfmError: The artifact is another one, or a file cannot be read.
    """
    if fitted.ensemble:
        where = f"the file of task {fitted.task}"
        return load_entries(check_entries([*fitted.ensemble], where), where, fitted.specialists)
    with ThreadPoolExecutor(1) as beside:  # hashing releases the GIL
        hashed = beside.submit(file_hash, artifact)
        # The hash covers the whole file, so that the members' checksums need no check.
        entries = read_entries(artifact, mapped=True, summed=False)
    found = hashed.result()
    if found != fitted.artifact:
        check_sums(artifact)  # a damaged file has another hash too, but needs another remedy
        raise EosfmError(
            f"{artifact} (SHA-256 {found[:12]}...) is not the ensemble that {fitted.task} was "
            f"fitted on ({fitted.artifact[:12]}...); give that one with --artifact, or run "
            f"`dvc repro evaluate@{fitted.task}`"
        )
    return load_entries(entries, artifact, fitted.specialists)


def answering(model: TaskModel, where: torch.device) -> Callable[[Tensor, Tensor], Any]:
    """The model on a device: from images (B, T, C, h, w) and days (B, T) to logits."""
    model = model.to(where)

    def answer(images: Tensor, days: Tensor) -> Any:
        with torch.inference_mode():
            return model(images.to(where), days.to(where))

    return answer
