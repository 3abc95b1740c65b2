"""The trainable half of EosFM: normalise, project, select and fuse pyramids."""

from collections.abc import Sequence
from typing import Any, cast, get_args

import torch
from torch import Tensor, nn

from eosfm.core.errors import EosfmError, suggest
from eosfm.encoding.adaptation import InputSpec
from eosfm.fusion.layers import geometric_mean, norms, projections
from eosfm.fusion.selection import Mode, Selection

FUSIONS = ("concat", "conv1x1", "mlp", "addition", "multiplication")
NORMALIZERS = ("batch", "layer", "none")
SELECTIONS = get_args(Mode)
HIDDEN = 1.25
"""Hidden width of ``mlp`` over its input width."""

Pyramid = Sequence[Tensor]


class Fuser(nn.Module):
    """Fuse the specialists' pyramids into one.

    Args:
        inputs: One per pyramid; those of one specialist (same name) share its gate.
        fusion: ``concat`` (channels side by side), ``conv1x1``, ``mlp`` (two 1x1 convolutions),
            ``addition``, or ``multiplication`` (the signed geometric mean: a product whose
            magnitude does not fade with the number of maps).
        width_multiplier: Output channels of ``conv1x1`` and ``mlp`` over those of the first input.
        normalize: ``batch``, ``layer`` (over channels, per pixel) or ``none``, for every pyramid
            and level on its own.
        projection: A 1x1 convolution and LeakyReLU per pyramid and level, to the first input's
            channels.
        max_encoders: Specialists to keep; None keeps all and learns no selection.
        selection: ``topk`` or ``smooth``.
        scale_features: Whether the gates of kept specialists also scale their features.
        ablate: Specialists to leave out, by name or place in the artifact.
        kept: Places of the inputs that a pruned fuser still has.

    Raises:
        EosfmError: An option is unknown, more specialists are asked for than there are, or
            ``addition`` or ``multiplication`` meets pyramids of different channels.
    """

    gates: Tensor

    def __init__(
        self,
        inputs: Sequence[InputSpec],
        fusion: str = "conv1x1",
        width_multiplier: float = 1.0,
        normalize: str = "layer",
        projection: bool = False,
        max_encoders: int | None = None,
        selection: str = "topk",
        scale_features: bool = False,
        ablate: Sequence[str | int] = (),
        kept: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        for value, valid, what in (
            (fusion, FUSIONS, "fusion"),
            (normalize, NORMALIZERS, "normalize"),
            (selection, SELECTIONS, "selection"),
        ):
            if value not in valid:
                raise EosfmError(f"{what} is {value!r}; {suggest(str(value), valid)}")
        left_out = ablated([(spec.name, spec.index) for spec in inputs], ablate)
        used = [place for place, spec in enumerate(inputs) if spec.name not in left_out]
        slots = [inputs[place] for place in used]
        self.options: dict[str, Any] = {
            "fusion": fusion,
            "width_multiplier": width_multiplier,
            "normalize": normalize,
            "projection": projection,
            "max_encoders": max_encoders,
            "selection": selection,
            "scale_features": scale_features,
        }
        self.fusion = fusion
        self.slots = slots
        """Every input that the fused width counts, pruned ones included."""
        self.kept = list(range(len(slots)) if kept is None else kept)
        self.inputs = list(inputs) if kept is None else [slots[place] for place in self.kept]
        """What ``forward`` expects, one pyramid each."""
        self._used = used if kept is None else list(range(len(self.kept)))
        present = [slots[place] for place in self.kept]
        self.names = list(dict.fromkeys(spec.name for spec in present))
        """The specialists that reach the output, in order."""
        self._gate = [self.names.index(spec.name) for spec in present]

        target = slots[0].channels
        self._widths = [target if projection else spec.channels for spec in slots]
        if fusion in ("addition", "multiplication"):
            _check_equal(slots, self._widths, fusion)
        self.norms = nn.ModuleList(norms(normalize, spec.channels) for spec in present)
        self.projections = nn.ModuleList(
            projections(spec.channels, target) for spec in present if projection
        )
        self.selection = None
        self.register_buffer("gates", torch.ones(len(self.names)))
        if kept is None and max_encoders is not None:
            if not 1 <= max_encoders <= len(self.names):
                raise EosfmError(
                    f"max_encoders is {max_encoders}, but {len(self.names)} specialists are fed; "
                    f"choose 1 to {len(self.names)}"
                )
            if max_encoders < len(self.names) or scale_features:
                self.selection = Selection(
                    len(self.names), max_encoders, cast(Mode, selection), scale_features
                )
        self._gated = self.selection is not None or kept is not None
        self.mixers = nn.ModuleList(
            self._mixer(level, width_multiplier) for level in range(len(target))
        )

    @property
    def out_channels(self) -> list[int]:
        """Channels of the fused levels, finest first."""
        levels = range(len(self.slots[0].channels))
        if self.fusion == "concat":
            return [sum(width[level] for width in self._widths) for level in levels]
        if self.fusion in ("conv1x1", "mlp"):
            multiplier = self.options["width_multiplier"]
            return [max(1, round(self.slots[0].channels[level] * multiplier)) for level in levels]
        return [self._widths[0][level] for level in levels]

    @property
    def selected(self) -> list[str]:
        """Names of the specialists in use."""
        if self.selection is None:
            return list(self.names)
        return [self.names[index] for index in self.selection.selected]

    def needed(self) -> list[int]:
        """Places of ``inputs`` whose pyramids are used now; ``forward`` takes None elsewhere."""
        chosen = self.selection is None or self.selection.settled or not self.training
        names = self.selected if chosen else self.names
        return [place for place in self._used if self.inputs[place].name in names]

    def forward(self, pyramids: Sequence[Pyramid | None]) -> list[Tensor]:
        """Fuse.

        Args:
            pyramids: One per entry of ``inputs``: levels (B, C, H/s, W/s) of any float type.

        Returns:
            The fused levels, (B, out_channels, H/s, W/s) float32 (or autocast's type).

        Raises:
            EosfmError: Their number or channels are not those of ``inputs``.
        """
        self._check(pyramids)
        gates = self.gates if self.selection is None else self.selection()
        needed = set(self.needed())
        columns: list[list[Tensor] | None] = []
        for column, place in enumerate(self._used):
            if place not in needed:
                columns.append(None)
                continue
            levels = [level.float() for level in cast(Pyramid, pyramids[place])]
            columns.append(self._prepare(column, levels))
        weights = [gates[index] if self._gated else None for index in self._gate]
        return [
            self._fuse(
                level, [None if levels is None else levels[level] for levels in columns], weights
            )
            for level in range(len(self.mixers))
        ]

    def prune(self) -> "Fuser":
        """A fuser of the selected specialists alone, with the output that this one has in ``eval``.

        ``concat`` keeps its width, with zeros where unselected specialists were, so that a
        trained head still fits.
        """
        chosen = set(self.selected)
        columns = [c for c, name in enumerate(self._gate) if self.names[name] in chosen]
        small = Fuser(self.slots, **self.options, kept=[self.kept[c] for c in columns])
        for new, old in enumerate(columns):
            small.norms[new].load_state_dict(self.norms[old].state_dict())
            if self.options["projection"]:
                small.projections[new].load_state_dict(self.projections[old].state_dict())
        for level, (mixer, source) in enumerate(zip(small.mixers, self.mixers, strict=True)):
            mixer.load_state_dict(self._sliced(level, source.state_dict(), columns))
        small.gates.copy_(self._final_gates()[[self.names.index(name) for name in small.names]])
        return small.to(self.gates.device).train(self.training)

    def settings(self) -> dict[str, Any]:
        """Plain values from which ``from_settings`` builds this fuser again, weights apart."""
        slots = [spec.as_dict() for spec in self.slots]
        pruned = len(self.kept) < len(self.slots)
        return {"inputs": slots, "kept": self.kept if pruned else None, **self.options}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> "Fuser":
        """Build a fuser, without its weights, from :meth:`settings`."""
        inputs = [InputSpec.from_dict(spec) for spec in settings["inputs"]]
        return cls(**{**settings, "inputs": inputs})

    def _mixer(self, level: int, multiplier: float) -> nn.Module:
        width = sum(self._widths[place][level] for place in self.kept)
        out = self.out_channels[level]
        if self.fusion == "conv1x1":
            return nn.Conv2d(width, out, 1)
        if self.fusion == "mlp":
            hidden = int(sum(widths[level] for widths in self._widths) * HIDDEN)
            return nn.Sequential(nn.Conv2d(width, hidden, 1), nn.GELU(), nn.Conv2d(hidden, out, 1))
        return nn.Identity()

    def _sliced(
        self, level: int, state: dict[str, Tensor], columns: list[int]
    ) -> dict[str, Tensor]:
        """A mixer's weights with the input channels of some columns only."""
        widths = [self._widths[place][level] for place in self.kept]
        first = "0.weight" if self.fusion == "mlp" else "weight"
        if first not in state:
            return state
        parts = state[first].split(widths, dim=1)
        return {**state, first: torch.cat([parts[column] for column in columns], dim=1)}

    def _final_gates(self) -> Tensor:
        """The gates of evaluation."""
        if self.selection is None:
            return self.gates
        training = self.selection.training
        with torch.no_grad():
            gates = self.selection.eval()()
        self.selection.train(training)
        return gates

    def _check(self, pyramids: Sequence[Pyramid | None]) -> None:
        if len(pyramids) != len(self.inputs):
            raise EosfmError(
                f"{len(pyramids)} pyramids given, {len(self.inputs)} expected; "
                "give one per entry of inputs"
            )
        for spec, pyramid in zip(self.inputs, pyramids, strict=True):
            if pyramid is not None:
                found = tuple(level.shape[1] for level in pyramid)
                if found != spec.channels:
                    raise EosfmError(
                        f"pyramid of {spec.name!r} has channels {found}, expected {spec.channels}; "
                        "encode it with the same ensemble"
                    )

    def _prepare(self, column: int, levels: list[Tensor]) -> list[Tensor]:
        """Normalise and project one pyramid."""
        norms = cast(nn.ModuleList, self.norms[column])
        levels = [norm(level) for norm, level in zip(norms, levels, strict=True)]
        if not self.options["projection"]:
            return levels
        projections = cast(nn.ModuleList, self.projections[column])
        return [project(level) for project, level in zip(projections, levels, strict=True)]

    def _fuse(self, level: int, maps: list[Tensor | None], weights: list[Tensor | None]) -> Tensor:
        """Fuse one level; ``maps`` has one map, or None, per kept slot."""
        if self.fusion == "multiplication":
            return geometric_mean([(m, w) for m, w in zip(maps, weights, strict=True)
                                    if m is not None])  # fmt: skip
        scaled = [m if m is None or w is None else m * w
                  for m, w in zip(maps, weights, strict=True)]  # fmt: skip
        if self.fusion == "addition":
            return torch.stack([m for m in scaled if m is not None]).sum(0)
        by_slot = dict(zip(self.kept, scaled, strict=True))
        some = next(m for m in scaled if m is not None)
        slots = range(len(self.slots)) if self.fusion == "concat" else self.kept
        blocks = []
        for slot in slots:
            block = by_slot.get(slot)
            if block is None:
                block = some.new_zeros(1, 1, 1, 1).expand(
                    some.shape[0], self._widths[slot][level], *some.shape[2:]
                )
            blocks.append(block)
        fused: Tensor = self.mixers[level](torch.cat(blocks, dim=1))
        return fused


def ablated(specialists: Sequence[tuple[str, int]], ablate: Sequence[str | int]) -> set[str]:
    """Names of the specialists to leave out.

    Args:
        specialists: (name, place in the artifact) pairs.
        ablate: Names or places.

    Raises:
        EosfmError: There is no such specialist, or none would be left.
    """
    by_index = {index: name for name, index in specialists}
    names = list(dict.fromkeys(name for name, _ in specialists))
    left_out = set()
    for item in ablate:
        name = by_index.get(item) if isinstance(item, int) else item
        if name not in names:
            raise EosfmError(f"ablate names {item!r}; {suggest(str(item), names)}")
        left_out.add(name)
    if len(left_out) == len(names):
        raise EosfmError("ablate leaves no specialist; keep at least one")
    return left_out


def _check_equal(slots: list[InputSpec], widths: list[tuple[int, ...]], fusion: str) -> None:
    for spec, width in zip(slots, widths, strict=True):
        if width != widths[0]:
            raise EosfmError(
                f"fusion={fusion!r} needs equal channels, but {slots[0].name!r} has {widths[0]} "
                f"and {spec.name!r} {width}; set projection=True"
            )
