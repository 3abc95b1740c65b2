"""Turn a folder of trained Lightning checkpoints into an ensemble artifact.

    eosfm gather FOLDER OUT

The encoder is found by its stem, under whatever prefix the training code gave it
(``model.encoder.`` for instance), and its channels and backbone by the shapes of its weights.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import Specialist, expected_shapes

SUFFIXES = (".ckpt", ".pt", ".pth")
STEM = "stem_0.weight"
"""ConvNeXt's first convolution, as timm's ``features_only`` models name it."""

WRAPPED = "model."
"""What timm's ``features_only`` models that wrap another put before its keys."""

GENERIC = re.compile(
    r"(checkpoints?|lightning_logs|version_\d+|last|best|model|epoch=.*|.*step=.*)"
)
"""Path parts that do not tell specialists apart."""

FACTS = ("bands", "units", "mean", "std", "dataset", "task")


def import_checkpoints(folder: Path | str, backbone: str | None = None) -> list[Specialist]:
    """Read the encoders of all checkpoints below a folder, in the order of their paths.

    Args:
        folder: Searched recursively for ``.ckpt``, ``.pt`` and ``.pth`` files.
        backbone: timm model name; detected where it is None.

    Raises:
        EosfmError: There is no checkpoint, one has no encoder that timm knows, or names clash.
    """
    folder = Path(folder)
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not paths:
        raise EosfmError(f"no checkpoint below {folder}; expected {', '.join(SUFFIXES)} files")
    names = {path: specialist_name(path.relative_to(folder)) for path in paths}
    for path, name in names.items():
        twins = [str(other) for other in paths if names[other] == name]
        if len(twins) > 1:
            raise EosfmError(
                f"{' and '.join(twins)} both give a specialist named {name!r}; keep one of them, "
                f"or rename {path.name}"
            )
    return [_import(path, names[path], backbone) for path in paths]


def specialist_name(path: Path) -> str:
    """A name from a path: its telling parts, joined; the file's own name if none is telling."""
    parts = [part for part in (*path.parent.parts, path.stem) if not GENERIC.fullmatch(part)]
    return "_".join(parts) or path.stem


def encoder_weights(
    state_dict: Mapping[str, Tensor], backbone: str | None = None
) -> tuple[str, int, dict[str, Tensor]]:
    """Find the encoder within a trained model's weights.

    Args:
        state_dict: All weights of the model, decoder and head included.
        backbone: timm model name; detected where it is None.

    Returns:
        timm's model name, the input's channels, and the weights with timm's ``features_only`` keys.

    Raises:
        EosfmError: No encoder, or more than one, is found.
    """
    first = _stem(backbone) if backbone else STEM
    found = []
    for prefix in _prefixes(state_dict, first):
        weights = {
            _feature_key(key.removeprefix(prefix)): value
            for key, value in state_dict.items()
            if key.startswith(prefix)
        }
        stem = weights[first]
        width, in_chans = stem.shape[:2]
        names = [backbone] if backbone else _candidates(weights, width)
        for name in names:
            expected = expected_shapes(name, in_chans)
            own = {key: weights.get(key.removeprefix(WRAPPED)) for key in expected}
            same = {key: value for key, value in own.items() if value is not None}
            if {key: tuple(value.shape) for key, value in same.items()} == expected:
                found.append((prefix, name, in_chans, same))
                break
    if not found:
        raise EosfmError(
            "no encoder found that timm knows; expected a stem such as model.encoder.stem_0.weight "
            "and the weights of a ConvNeXt behind the same prefix, or name the backbone"
        )
    if len(found) > 1:
        raise EosfmError(
            f"more than one encoder found, under {', '.join(repr(entry[0]) for entry in found)}; "
            "keep one in the checkpoint"
        )
    return found[0][1:]


def _import(path: Path, name: str, backbone: str | None) -> Specialist:
    content = tensors.read(path)
    if not isinstance(content, dict):
        raise EosfmError(f"{path} holds a {type(content).__name__}, expected a checkpoint")
    state_dict, facts = content.get("state_dict", content), content.get("hyper_parameters", content)
    for what, part in (("state_dict", state_dict), ("hyper_parameters", facts)):
        if not isinstance(part, dict):
            raise EosfmError(
                f"{path} has a {type(part).__name__} for {what}, expected a checkpoint"
            )
    state_dict = {key: value for key, value in state_dict.items() if isinstance(value, Tensor)}
    try:
        model, in_chans, weights = encoder_weights(state_dict, backbone)
    except EosfmError as error:
        raise EosfmError(f"{path}: {error}") from None
    known: dict[str, Any] = {key: facts[key] for key in FACTS if facts.get(key) is not None}
    # Other training code uses some of these words for other things: per channel or not at all.
    per_channel = {
        key: tuple(known[key])
        for key in FACTS[:4]
        if isinstance(known.get(key), (list, tuple)) and len(known[key]) == in_chans
    }
    plain = {key: known[key] for key in FACTS[4:] if isinstance(known.get(key), str)}
    return Specialist(name, model, in_chans, weights, facts=plain, **per_channel)


def _prefixes(state_dict: Mapping[str, Tensor], first: str) -> Iterable[str]:
    """What stands before the first convolution of every encoder there may be."""
    for key, value in state_dict.items():
        for name in (first, re.sub(r"_(\d)", r".\1", first, count=1)):
            if (key == name or key.endswith("." + name)) and value.ndim == 4:
                yield key.removesuffix(name)
                break


def _stem(backbone: str) -> str:
    """The first convolution's weights, as they are called in the model itself."""
    shapes = expected_shapes(backbone, 3)
    return next(key for key, shape in shapes.items() if len(shape) == 4).removeprefix(WRAPPED)


def _feature_key(key: str) -> str:
    """Timm names a classification model's layers stem.0, a feature extractor's stem_0."""
    return re.sub(r"^(stem|stages|layers)\.(\d+)\.", r"\1_\2.", key)


def _candidates(weights: Mapping[str, Tensor], width: int) -> list[str]:
    """Models of timm's ConvNeXt families that may have these weights.

    The deepest first: a deep model has all the weights of a shallow one of the same width.
    """
    import timm

    family = "convnextv2" if any(".grn." in key for key in weights) else "convnext"
    names = timm.list_models(f"{family}_*")
    fitting = [name for name in names if expected_shapes(name, 3)[STEM][0] == width]
    return sorted(fitting, key=lambda name: (-len(expected_shapes(name, 3)), len(name)))
