"""EosFM: an ensemble artifact as one backbone."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.core.errors import EosfmError, suggest
from eosfm.encoding.adaptation import InputSpec, plan
from eosfm.encoding.artifact import load_artifact, load_saved, save_artifact
from eosfm.encoding.encoders import Encoders, EncoderSpec
from eosfm.encoding.input import STRIDES, FeatureInfo, InputFormat, check_units, describe_input
from eosfm.encoding.specialist import Specialist
from eosfm.fusion.fuser import Fuser, ablated

ADAPTATIONS = ("named", "counted")
STANDARDIZE = ("dataset", "specialist")


class EosFM(nn.Module):
    """An ensemble of specialists as one backbone: frozen encoders and a trainable fusion.

    Args:
        specialists: The ensemble, from :func:`eosfm.model.load_artifact` for instance.
        bands: Names of the input's channels (see :mod:`eosfm.core.bands`); or
        in_chans: their number alone.
        adaptation: ``named`` goes by band names and physical sense, ``counted`` by the published
            rules on channel counts; by default ``named`` where bands are given.
        standardize: ``dataset``: the input is scaled by its own statistics, before it arrives or
            here by ``mean`` and ``std``. ``specialist``: it arrives in physical ``units`` and each
            specialist applies the statistics of its training data.
        mean: The input's mean per channel.
        std: The input's standard deviation per channel.
        units: The input's physical unit, per channel or one for all.
        freeze: Whether the encoders stay as they are, whatever ``train`` and optimisers say.
        copy: Whether the specialists keep weights of their own. False saves memory where nothing
            else will use them.
        ablate: Specialists to leave out, by name or place in the ensemble.
        **fusion: Options of :class:`eosfm.model.Fuser`: ``fusion``, ``width_multiplier``,
            ``normalize``, ``projection``, ``max_encoders``, ``selection``, ``scale_features``.

    Attributes:
        inputs: What each pyramid is: specialist, rule, bands fed.
        skipped: Specialists that cannot be fed, and why.
        out_channels: Channels of the fused levels at strides 4, 8, 16 and 32.

    Raises:
        EosfmError: Options are unknown or contradict each other, no specialist can be fed, or
            statistics or units do not fit.
    """

    def __init__(
        self,
        specialists: Sequence[Specialist],
        bands: Sequence[str] | None = None,
        in_chans: int | None = None,
        *,
        adaptation: str | None = None,
        standardize: str = "dataset",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        units: Sequence[str] | str | None = None,
        freeze: bool = True,
        copy: bool = True,
        ablate: Sequence[str | int] = (),
        **fusion: Any,
    ) -> None:
        super().__init__()
        adaptation = adaptation or ("named" if bands is not None else "counted")
        for value, valid, what in (
            (adaptation, ADAPTATIONS, "adaptation"),
            (standardize, STANDARDIZE, "standardize"),
        ):
            if value not in valid:
                raise EosfmError(f"{what} is {value!r}; {suggest(value, valid)}")
        taken = describe_input(bands, in_chans, standardize, mean, std, units)
        numbered = [(specialist.name, place) for place, specialist in enumerate(specialists)]
        left_out = ablated(numbered, ablate)
        places = [place for name, place in numbered if name not in left_out]
        inputs, skipped = plan(
            [specialists[place] for place in places], taken.bands, taken.in_chans, adaptation
        )
        inputs = [replace(spec, index=places[spec.index]) for spec in inputs]
        fed = {spec.name for spec in inputs}
        specialists = [s for s in specialists if s.name in fed]
        self._assemble(specialists, inputs, skipped, taken, freeze, copy)
        self.fuser = Fuser(self.inputs, **fusion)
        self.feature_info = FeatureInfo(self.out_channels)

    @classmethod
    def from_artifact(
        cls,
        path: Path | str,
        bands: Sequence[str] | None = None,
        in_chans: int | None = None,
        **options: Any,
    ) -> "EosFM":
        """Open an ensemble artifact; ``options`` are those of the class.

        Raises:
            EosfmError: The file cannot be used, or an option is wrong.
        """
        return cls(load_artifact(path), bands, in_chans, copy=False, **options)

    @classmethod
    def load(cls, path: Path | str, freeze: bool = True) -> "EosFM":
        """Open a backbone that :meth:`save` wrote, its fusion weights included.

        Raises:
            EosfmError: The file cannot be used, or holds specialists alone.
        """
        specialists, state = load_saved(path)
        fuser = Fuser.from_settings(state["fuser"])
        fuser.load_state_dict(state["weights"])
        taken = InputFormat.from_dict(state["input"])
        return cls._from_parts(specialists, fuser, state["skipped"], taken, freeze, copy=False)

    def encode(self, x: Tensor) -> list[list[Tensor]]:
        """The frozen half: run the specialists.

        Args:
            x: (B, C, H, W) float, any H and W.

        Returns:
            One pyramid per entry of ``inputs``: four levels (B, C, ceil(H/s), ceil(W/s)).

        Raises:
            EosfmError: The shape or the type is not what was announced.
        """
        return cast(list[list[Tensor]], self._encode(x, range(len(self.inputs))))

    def fuse(self, pyramids: Sequence[Sequence[Tensor] | None]) -> list[Tensor]:
        """The trainable half: normalise, project, select and fuse what ``encode`` returned."""
        fused: list[Tensor] = self.fuser(pyramids)
        return fused

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode and fuse; in evaluation only the selected specialists are run.

        Args:
            x: (B, C, H, W) float, any H and W.

        Returns:
            Four levels (B, out_channels, ceil(H/s), ceil(W/s)), s in 4, 8, 16, 32.
        """
        return self.fuse(self._encode(x, self.fuser.needed()))

    @property
    def out_channels(self) -> list[int]:
        """Channels of the fused levels at strides 4, 8, 16 and 32."""
        return self.fuser.out_channels

    @property
    def selected(self) -> list[str]:
        """Names of the specialists in use."""
        return self.fuser.selected

    def prune(self) -> "EosFM":
        """A backbone of the selected specialists alone, with the same output in evaluation."""
        fuser = self.fuser.prune()
        kept = self._trained(set(fuser.names))
        small = self._from_parts(
            kept, fuser, self.skipped, self.input, self.encoders.freeze, copy=True
        )
        return small.to(self.fuser.gates.device).train(self.training)

    def save(self, path: Path | str) -> None:
        """Write the specialists in use as an artifact that also holds the fusion; see ``load``."""
        state = {
            "fuser": self.fuser.settings(),
            "weights": dict(self.fuser.state_dict()),
            "skipped": self.skipped,
            "input": self.input.as_dict(),
        }
        save_artifact(path, self._trained(), state)

    def explain(self) -> str:
        """A table of what every specialist is fed with, and why others are not."""
        rows = [("specialist", "rule", "fed with", "note")]
        rows += [(spec.name, spec.rule, _short(spec.fed), spec.note) for spec in self.inputs]
        rows += [(name, "skipped", "-", reason) for name, reason in self.skipped.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    @classmethod
    def _from_parts(
        cls,
        specialists: Sequence[Specialist],
        fuser: Fuser,
        skipped: Mapping[str, str],
        taken: InputFormat,
        freeze: bool,
        copy: bool,
    ) -> "EosFM":
        """A backbone whose plan and fusion are known."""
        backbone = cls.__new__(cls)
        nn.Module.__init__(backbone)
        backbone._assemble(specialists, fuser.inputs, skipped, taken, freeze, copy)
        backbone.fuser = fuser
        backbone.feature_info = FeatureInfo(fuser.out_channels)
        return backbone

    def _assemble(
        self,
        specialists: Sequence[Specialist],
        inputs: Sequence[InputSpec],
        skipped: Mapping[str, str],
        taken: InputFormat,
        freeze: bool,
        copy: bool,
    ) -> None:
        """Build the frozen half; ``specialists`` are those that ``inputs`` name."""
        self.input = taken
        self.skipped = dict(skipped)
        states = [specialist.state_dict for specialist in specialists]
        if copy:
            states = [{key: value.clone() for key, value in s.items()} for s in states]
        self.encoders = Encoders(
            [EncoderSpec(s.name, s.backbone, s.in_chans) for s in specialists], states, freeze
        )
        # The encoders hold the weights from here on.
        self.specialists = [replace(specialist, state_dict={}) for specialist in specialists]
        order = {specialist.name: place for place, specialist in enumerate(specialists)}
        self._encoder = [order[spec.name] for spec in inputs]
        self.inputs = [
            replace(spec, channels=tuple(self.encoders.channels(place)))
            for spec, place in zip(inputs, self._encoder, strict=True)
        ]
        for place, spec in enumerate(self.inputs):
            picks = [taken.in_chans if pick is None else pick for pick in spec.picks]
            self.register_buffer(f"_picks_{place}", torch.tensor(picks), persistent=False)
        self._register_statistics()

    def _register_statistics(self) -> None:
        """Whatever is subtracted and divided by, per input channel or per specialist's channel."""
        taken = self.input
        if taken.standardize == "dataset":
            if taken.mean is not None and taken.std is not None:
                self._register_scaling("", taken.mean, taken.std)
            return
        check_units(self.specialists, self._encoder, self.inputs, taken)
        for place, spec in enumerate(self.inputs):
            specialist = self.specialists[self._encoder[place]]
            assert specialist.mean is not None and specialist.std is not None
            fed = [pick is not None for pick in spec.picks]
            mean = [m if known else 0.0 for m, known in zip(specialist.mean, fed, strict=True)]
            self._register_scaling(f"_{place}", mean, specialist.std)

    def _register_scaling(self, suffix: str, mean: Sequence[float], std: Sequence[float]) -> None:
        if any(value <= 0 for value in std):
            raise EosfmError(f"a standard deviation is not positive in {list(std)}; give its value")
        for key, values in (("mean", mean), ("std", std)):
            tensor = torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
            self.register_buffer(f"_{key}{suffix}", tensor, persistent=False)

    def _scaled(self, x: Tensor, suffix: str) -> Tensor:
        mean = getattr(self, f"_mean{suffix}", None)
        return x if mean is None else (x - mean) / getattr(self, f"_std{suffix}")

    def _encode(self, x: Tensor, places: Sequence[int]) -> list[list[Tensor] | None]:
        """Pyramids of some inputs, None for the others."""
        self._check(x)
        height, width = x.shape[2:]
        x = self._scaled(x, "")
        bottom, right = -height % STRIDES[-1], -width % STRIDES[-1]
        if bottom or right:
            x = F.pad(x, (0, right, 0, bottom), mode="replicate")
        if any(pick is None for place in places for pick in self.inputs[place].picks):
            x = torch.cat([x, x.new_zeros(()).expand(x.shape[0], 1, *x.shape[2:])], dim=1)
        adapted = [
            (self._encoder[place],
             self._scaled(x.index_select(1, getattr(self, f"_picks_{place}")), f"_{place}"))
            for place in places
        ]  # fmt: skip
        pyramids: list[list[Tensor] | None] = [None] * len(self.inputs)
        for place, levels in zip(places, self.encoders(adapted), strict=True):
            pyramids[place] = [
                level[..., : -(-height // stride), : -(-width // stride)]
                for level, stride in zip(levels, STRIDES, strict=True)
            ]
        return pyramids

    def _check(self, x: Tensor) -> None:
        expected = self.input.in_chans
        if x.ndim != 4 or x.shape[1] != expected or 0 in x.shape:
            names = f" ({', '.join(self.input.bands)})" if self.input.bands else ""
            raise EosfmError(
                f"input has shape {tuple(x.shape)}, expected (batch, {expected}, height, width)"
                f"{names}; announce other channels with bands= or in_chans="
            )
        if not x.is_floating_point():
            raise EosfmError(f"input is {x.dtype}, expected float32; convert and standardise it")

    def _trained(self, names: set[str] | None = None) -> list[Specialist]:
        """The specialists in use with the weights that they have now."""
        return [
            replace(specialist, state_dict=self.encoders.models[place].state_dict())
            for place, specialist in enumerate(self.specialists)
            if names is None or specialist.name in names
        ]


def randomize(specialists: Sequence[Specialist], seed: int) -> list[Specialist]:
    """The same ensemble with freshly initialised weights.

    Each specialist's weights depend on the seed and its name alone.
    """
    fresh = []
    for specialist in specialists:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(f"{seed}/{specialist.name}".encode()))
            model = timm.create_model(
                specialist.backbone, features_only=True, in_chans=specialist.in_chans
            )
        fresh.append(replace(specialist, state_dict=model.state_dict()))
    return fresh


def _short(fed: tuple[str, ...]) -> str:
    """Names of the fed channels, a long list by its ends."""
    return " ".join(fed) if len(fed) <= 6 else f"{' '.join(fed[:4])} ... {fed[-1]} ({len(fed)})"
