"""The trainable half of EosFM: normalise, project, select and fuse pyramids."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.core.errors import EosfmError, expect, expect_one_of
from eosfm.encoding.input import SPECTRAL, InputSpec
from eosfm.fusion import FUSIONS
from eosfm.fusion.method import Method, get_method
from eosfm.fusion.normalizers import NORMALIZERS
from eosfm.fusion.pyramids import Pyramid, check_pyramids
from eosfm.fusion.scores import Scores
from eosfm.fusion.selection import Mode, Selection

WIDEST = 64.0
"""Largest ``width_multiplier``, to catch slips: memory grows with its square."""
PUBLISHED = "published_"
"""Begins the names of the published selections."""
SELECTIONS = (*get_args(Mode), *(PUBLISHED + mode for mode in get_args(Mode)))


@dataclass(frozen=True)
class FusionOptions:
    """How pyramids become one.

    Attributes:
        fusion: ``concat`` (channels side by side), ``conv1x1``, ``mlp`` (two 1x1 convolutions),
            ``addition``, ``multiplication``, or ``geometric_mean`` (signed: a product whose
            magnitude does not fade with the number of maps).
        width_multiplier: Output channels of ``conv1x1`` and ``mlp`` over those of the first input.
        normalize: ``pixel`` (over channels, per pixel), ``batch``, ``layer`` (over channels and
            pixels) or ``none``, for every specialist and level on its own. ``pixel`` and ``layer``
            leave bands as they are: what they take away is how bright a pixel is.
        projection: A 1x1 convolution and LeakyReLU per specialist and level; to the first input's
            channels where the fusion needs equal ones.
        max_encoders: Specialists to keep; None keeps all and learns no selection.
        selection: ``topk`` or ``smooth`` (:mod:`eosfm.fusion.selection`), ``published_topk`` or
            ``published_smooth`` (:mod:`eosfm.fusion.scores`).
        scale_features: Whether the gates of kept specialists also scale their features.

    Raises:
        EosfmError: A name is unknown, or a value of another type or out of range.
    """

    fusion: str = "conv1x1"
    width_multiplier: float = 1.0
    normalize: str = "pixel"
    projection: bool = False
    max_encoders: int | None = None
    selection: str = "topk"
    scale_features: bool = False

    def __post_init__(self) -> None:
        expect_one_of("fusion", self.fusion, FUSIONS)
        expect_one_of("normalize", self.normalize, NORMALIZERS)
        expect_one_of("selection", self.selection, SELECTIONS)
        for what in ("projection", "scale_features"):
            value = getattr(self, what)
            expect(what, value, isinstance(value, bool), "True or False")
        width, limit = self.width_multiplier, self.max_encoders
        fits = isinstance(width, (int, float)) and 0 < width <= WIDEST
        expect("width_multiplier", width, fits, f"a number above 0, at most {WIDEST}")
        fits = limit is None or (isinstance(limit, int) and not isinstance(limit, bool))
        expect("max_encoders", limit, fits, "a whole number or None")


class Fuser(nn.Module):
    """Fuse the specialists' pyramids into one.

    Args:
        inputs: One per pyramid; those of one specialist (same name) share its gate. The bands,
            where they are among them, come last: they have no gate and always take part.
        **options: See :class:`FusionOptions`.

    Attributes:
        inputs: What ``forward`` expects a pyramid for, each.
        names: The specialists of the inputs, in order, and the bands.
        members: Of these, the specialists; each has a gate.
        gate_index: Per input, the index of its name.
        norms: Per specialist and level.
        projections: Per specialist and level; empty without projection.
        selection: Learns the gates; None where they are fixed.
        mixers: The :class:`eosfm.fusion.method.Method` of each level.

    Raises:
        EosfmError: An option is unknown, more specialists are asked for than there are, or
            a method meets pyramids of different channels that needs equal ones.
    """

    gates: Tensor  # (names,) what a pruned fuser multiplies with; not used before

    def __init__(self, inputs: Sequence[InputSpec], **options: Any) -> None:
        super().__init__()
        self.options = FusionOptions(**options)
        self._take(inputs)
        self._all_inputs = self.inputs
        self._kept: tuple[int, ...] | None = None  # indices of these, once pruned; saved
        named = {spec.name: spec for spec in self.inputs}.values()
        self.norms = nn.ModuleList(self._build_norms(spec) for spec in named)
        self.projections = nn.ModuleList(
            _projections(spec.channels, self._projected(spec.channels))
            for spec in named
            if self.options.projection
        )
        self.selection = self._build_selection()
        self.register_buffer("gates", torch.ones(len(self.names)))
        self.mixers = self._build_mixers()

    @property
    def out_channels(self) -> list[int]:
        """Channels of the fused levels, finest first."""
        return [mixer.out_channels for mixer in self._methods()]

    @property
    def selected(self) -> list[str]:
        """Names of the specialists in use."""
        if self.selection is None:
            return list(self.members)
        return [self.members[index] for index in self.selection.selected]

    def needed(self) -> list[int]:
        """Indices of the inputs whose pyramids are used now; ``forward`` takes None elsewhere."""
        chosen = self.selection is None or self.selection.settled or not self.training
        names = self.selected if chosen else self.members
        return [i for i, spec in enumerate(self.inputs) if spec.spectral or spec.name in names]

    def with_bands(self, gates: Tensor) -> Tensor:
        """Append a factor of 1 for the bands: (members,) to (names,)."""
        return F.pad(gates, (0, len(self.names) - len(self.members)), value=1)

    def prepare(self, index: int, levels: Pyramid) -> list[Tensor]:
        """Normalise and project one input's pyramid, of any float type."""
        index = self.gate_index[index]
        norms = cast(nn.ModuleList, self.norms[index])
        levels = [norm(level.float()) for norm, level in zip(norms, levels, strict=True)]
        if not self.options.projection:
            return levels
        projections = cast(nn.ModuleList, self.projections[index])
        return [project(level) for project, level in zip(projections, levels, strict=True)]

    def forward(self, pyramids: Sequence[Pyramid | None]) -> list[Tensor]:
        """Fuse.

        Args:
            pyramids: One per entry of ``inputs``: levels (B, C, H/s, W/s) of any float type.

        Returns:
            The fused levels, (B, out_channels, H/s, W/s) float32 (or autocast's type).

        Raises:
            EosfmError: A needed pyramid is missing, or the pyramids do not fit ``inputs``, each
                other or this device.
        """
        needed = self.needed()
        weights = next(self.parameters(), self.gates)
        check_pyramids(self.inputs, pyramids, needed, weights)
        gates: list[Tensor | None] = [None] * len(self.inputs)
        if self.selection is not None or self._kept is not None:
            values = self.gates
            if self.selection is not None:
                values = self.with_bands(self.selection())
            gates = [values[index] for index in self.gate_index]
        prepared = [
            self.prepare(index, cast(Pyramid, levels)) if index in needed else None
            for index, levels in enumerate(pyramids)
        ]
        return [
            mixer.fuse([None if levels is None else levels[k] for levels in prepared], gates)
            for k, mixer in enumerate(self._methods())
        ]

    def prune(self) -> "Fuser":
        """A fuser of the selected specialists alone, with the output that this one has in ``eval``.

        ``concat`` keeps its width, with zeros where unselected specialists were, so that a
        trained head still fits.
        """
        chosen = self.selected
        specs = enumerate(self.inputs)
        return self.keep([i for i, spec in specs if spec.spectral or spec.name in chosen])

    def keep(self, indices: Sequence[int]) -> "Fuser":
        """A fuser of some inputs alone, with the gates that they have in evaluation, fixed."""
        small = deepcopy(self)
        small._take([self.inputs[index] for index in indices])
        before = range(len(self.inputs)) if self._kept is None else self._kept
        small._kept = tuple(before[index] for index in indices)
        kept = [self.names.index(name) for name in small.names]
        small.norms = nn.ModuleList(small.norms[index] for index in kept)
        if self.options.projection:
            small.projections = nn.ModuleList(small.projections[index] for index in kept)
        with torch.no_grad():
            gates = self.gates
            if small.selection is not None:
                gates = self.with_bands(small.selection.eval()())
        small.gates = gates[kept].clone()
        small.selection = None
        for mixer in small._methods():
            mixer.keep(indices)
        return small

    def settings(self) -> dict[str, Any]:
        """Plain values from which ``from_settings`` builds this fuser again, weights apart."""
        inputs = [spec.as_dict() for spec in self._all_inputs]
        kept = None if self._kept is None else list(self._kept)
        return {"inputs": inputs, "kept": kept, **asdict(self.options)}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> "Fuser":
        """Build a fuser, without its weights, from :meth:`settings`."""
        options = {key: settings[key] for key in settings.keys() - {"inputs", "kept"}}
        fuser = cls([InputSpec.from_dict(spec) for spec in settings["inputs"]], **options)
        return fuser if settings["kept"] is None else fuser.keep(settings["kept"])

    def _take(self, inputs: Sequence[InputSpec]) -> None:
        self.inputs = tuple(inputs)
        self.names = list(dict.fromkeys(spec.name for spec in inputs))
        self.members = [name for name in self.names if name != SPECTRAL]
        self.gate_index = [self.names.index(spec.name) for spec in inputs]

    def _methods(self) -> list[Method]:
        return cast(list[Method], list(self.mixers))

    def _projected(self, channels: Sequence[int]) -> Sequence[int]:
        """Channels after projection."""
        equal = get_method(self.options.fusion).equal_channels
        return self.inputs[0].channels if equal else channels

    def _build_norms(self, spec: InputSpec) -> nn.ModuleList:
        as_it_is = spec.spectral and self.options.normalize in ("pixel", "layer")
        build = nn.Identity if as_it_is else NORMALIZERS[self.options.normalize]
        return nn.ModuleList(build(channels) for channels in spec.channels)

    def _build_selection(self) -> Selection | Scores | None:
        count, keep = len(self.members), self.options.max_encoders
        if keep is None:
            return None
        if not 1 <= keep <= count:
            raise EosfmError(
                f"max_encoders is {keep}, but {count} specialists are fed; choose 1 to {count}"
            )
        mode, scale = self.options.selection, self.options.scale_features
        if mode.startswith(PUBLISHED):
            return Scores(count, keep, mode.removeprefix(PUBLISHED), scale)
        if keep == count and not scale:
            return None
        return Selection(count, keep, cast(Mode, mode), scale)

    def _build_mixers(self) -> nn.ModuleList:
        method, first = get_method(self.options.fusion), self.inputs[0]
        target, projection = first.channels, self.options.projection
        widths = [
            self._projected(spec.channels) if projection else spec.channels for spec in self.inputs
        ]
        for spec, channels in zip(self.inputs, widths, strict=True):
            if method.equal_channels and channels != target:
                raise EosfmError(
                    f"fusion={self.options.fusion!r} needs equal channels, but {first.name!r} has "
                    f"{target} and {spec.name!r} {channels}; set projection to true"
                    + ", or spectral to false"
                    * spec.spectral
                )
        multiplier = self.options.width_multiplier
        return nn.ModuleList(
            method(level, max(1, int(level_target * multiplier)))
            for level, level_target in zip(zip(*widths, strict=True), target, strict=True)
        )


def _projections(channels: Sequence[int], target: Sequence[int]) -> nn.ModuleList:
    """One 1x1 convolution and LeakyReLU per level."""
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(width, out, 1), nn.LeakyReLU())
        for width, out in zip(channels, target, strict=True)
    )
