"""Weights under the names that the published encoder gives them (EoS-FM, arXiv 2511.21523).

So a fusion trained with the published code can be loaded here, and one of ours there. The names
match under matching options: ``adaptation="counted"``, a ``normalize`` of ``batch``,
``layer`` or ``none``, a selection that is ``published_...``, and no specialist skipped (the
published selection has scores for those too).
"""

from collections.abc import Mapping

from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.model import EosFM

NAMES = (
    ("encoder.models.", "encoders."),
    ("fuser.norms.", "feature_normalizers."),
    ("fuser.projections.", "feature_projections."),
    ("fuser.mixers.", "feature_fusion."),
    ("fuser.selection.scores", "encoder_selector.specialists_weights"),
)
"""How our names begin, and how the published ones do."""


def published_state(backbone: EosFM) -> dict[str, Tensor]:
    """A backbone's weights by their published names.

    Raises:
        EosfmError: An option has no published form.
    """
    state = {}
    for key, value in backbone.state_dict().items():
        for ours, theirs in NAMES:
            if key.startswith(ours):
                state[theirs + key.removeprefix(ours)] = value
    _check(backbone)
    return state


def load_published_state(backbone: EosFM, state: Mapping[str, Tensor]) -> None:
    """Take over weights that the published code saved.

    Raises:
        EosfmError: An option has no published form, or names or shapes differ.
    """
    expected = published_state(backbone)
    missing, unknown = sorted(expected.keys() - state), sorted(state.keys() - expected)
    if missing or unknown:
        raise EosfmError(
            f"weights do not fit: {len(missing)} missing ({', '.join(missing[:2])}), "
            f"{len(unknown)} unknown ({', '.join(unknown[:2])}); build the backbone with the "
            "options that they were trained with"
        )
    for name, tensor in expected.items():
        if tensor.shape != state[name].shape:
            raise EosfmError(
                f"weights do not fit: {name} has shape {tuple(state[name].shape)}, expected "
                f"{tuple(tensor.shape)}; build the backbone with the options of its training"
            )
        tensor.copy_(state[name])  # a state dict shares the module's memory
    backbone.encoder.models.forget_groups()


def _check(backbone: EosFM) -> None:
    options = backbone.fuser.options
    ours = ["normalize=pixel"] * (options.normalize == "pixel")
    ours += ["fusion=geometric_mean"] * (options.fusion == "geometric_mean")
    if backbone.fuser.selection is not None and not options.selection.startswith("published_"):
        ours.append(f"selection={options.selection}")
    if ours:
        raise EosfmError(f"{', '.join(ours)} has no published form; see docs/numbers.md")
