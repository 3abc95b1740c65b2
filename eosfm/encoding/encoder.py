"""The frozen half of EosFM: every specialist's encoder on the input adapted to it."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from eosfm.core.errors import EosfmError, expect, expect_one_of, suggest
from eosfm.encoding.adaptation import plan
from eosfm.encoding.adapters import build_adapter, check_statistics
from eosfm.encoding.input import SPECTRAL, InputFormat, InputSpec, describe_input, expect_map, warn
from eosfm.encoding.input_state import check_input, pack_input
from eosfm.encoding.models import SpecialistModels
from eosfm.encoding.spectral import SpectralPyramid, spectral_input
from eosfm.nn.pyramid import cut_maps, on_grid
from eosfm.nn.specialist import Specialist

ADAPTATIONS = ("named", "counted")
STANDARDIZE = ("dataset", "specialist")
FARTHEST, FLATTEST = 20.0, 0.02
"""Highest mean and lowest deviation of scaled bands; beyond, their values are in another unit."""
NOTE_WIDTH = 46
"""Characters of a note in a line of :meth:`EnsembleEncoder.explain`."""


class EnsembleEncoder(nn.Module):
    """The specialists as one encoder: from an image to a pyramid per adapted input.

    It knows nothing of fusion. :func:`build_encoder` plans what each specialist is fed with.

    Args:
        specialists: Those that ``inputs`` name, in artifact order.
        inputs: What they are fed with; one pyramid each. The spectral one may stand beside them.
        given: What arrives.
        skipped: Specialists that cannot be fed, and why.
        freeze: Whether the specialists stay in evaluation mode, and their parameters require no
            gradient until one is set to.
        copy: Whether to copy the specialists' weights. False saves memory where nothing else will
            use them.

    Attributes:
        inputs: As given, with the channels of each pyramid.
        input: What arrives.
        skipped: Specialists that cannot be fed, and why.
        specialists: Those that are run, without weights; see :meth:`trained`.

    Raises:
        EosfmError: Weights do not fit a backbone, or statistics or units do not fit the input.
    """

    def __init__(
        self,
        specialists: Sequence[Specialist],
        inputs: Sequence[InputSpec],
        given: InputFormat,
        skipped: Mapping[str, str] | None = None,
        freeze: bool = True,
        copy: bool = True,
    ) -> None:
        super().__init__()
        for what, flag in (("freeze", freeze), ("copy", copy)):
            expect(what, flag, isinstance(flag, bool), "True or False")
        self.input = given
        self.skipped = dict(skipped or {})
        if copy:
            specialists = [replace(s, state_dict=_cloned(s.state_dict)) for s in specialists]
        self.models = SpecialistModels(specialists, freeze)
        self.specialists = [replace(one, state_dict={}) for one in specialists]  # now in models
        order = {specialist.name: index for index, specialist in enumerate(specialists)}
        fed = [spec for spec in inputs if not spec.spectral]
        self._model_of = [order[spec.name] for spec in fed]
        fed = [
            replace(spec, channels=self.models.channels(model))
            for spec, model in zip(fed, self._model_of, strict=True)
        ]
        self.inputs = (*fed, *(spec for spec in inputs if spec.spectral))
        owners = [self.specialists[model] for model in self._model_of]
        if given.standardize == "specialist":
            check_statistics(fed, owners, given)
        self.adapters = nn.ModuleList(
            build_adapter(spec, owner, given) for spec, owner in zip(fed, owners, strict=True)
        )
        self.spectral = SpectralPyramid(given) if len(self.inputs) > len(fed) else None
        self._looked = False  # at the values of a batch

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return next(self.models.parameters()).device

    def encode(self, x: Tensor, indices: Sequence[int] | None = None) -> list[list[Tensor]]:
        """Run the specialists.

        Args:
            x: (B, C, H, W) in the weights' own type (float32), any H and W. A value that is NaN or
                infinite was not measured: it counts as its band's mean.
            indices: Entries of ``inputs`` to encode; None encodes all.

        Returns:
            One pyramid per index, in their order: four levels (B, C, ceil(H/s), ceil(W/s)), s in
            4, 8, 16, 32.

        Raises:
            EosfmError: The shape, the type or the device is not what was announced.
        """
        self._check(x)
        size = (x.shape[2], x.shape[3])
        x = on_grid(x)
        chosen = range(len(self.inputs)) if indices is None else indices
        fed = [i for i in chosen if not self.inputs[i].spectral]
        encoded = self.models([(self._model_of[i], self.adapters[i](x)) for i in fed])
        if fed and not self._looked and not torch.compiler.is_compiling():
            self._looked = True
            self._look(x, fed[0])
        of_input = dict(zip(fed, encoded, strict=True))
        if self.spectral is not None and len(fed) < len(chosen):
            of_input[len(self.inputs) - 1] = self.spectral(x)
        return [cut_maps(of_input[i], size) for i in chosen]

    def keep(self, names: Sequence[str]) -> "EnsembleEncoder":
        """An encoder of some of the specialists, with weights of its own."""
        inputs = [spec for spec in self.inputs if spec.name in names]
        members = [s for s in self.trained() if s.name in names]
        small = EnsembleEncoder(members, inputs, self.input, self.skipped, self.models.freeze)
        kept = [self.models[i] for i, s in enumerate(self.specialists) if s.name in names]
        small.models.learn_as(kept)
        return small.to(self.device, next(self.models.parameters()).dtype).train(self.training)

    def trained(self) -> list[Specialist]:
        """The specialists with the weights that they have now."""
        return [
            replace(specialist, state_dict=model.state_dict())
            for specialist, model in zip(self.specialists, self.models, strict=True)
        ]

    def get_extra_state(self) -> Tensor:
        """What the weights of a state dict are fed with."""
        return pack_input(self.input, self.inputs)

    def set_extra_state(self, state: Tensor) -> None:
        """Refuse a state dict of weights that were fed in another way."""
        check_input(state, self.input, self.inputs)

    def explain(self) -> str:
        """A table of what every specialist is fed with, and why others are not."""
        rows = [("specialist", "rule", "fed with", "note")]
        rows += [(spec.name, spec.rule, _short(spec.sources), spec.note) for spec in self.inputs]
        rows += [(name, "skipped", "-", reason) for name, reason in self.skipped.items()]
        rows = [line for row in rows for line in _wrapped(row)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _look(self, x: Tensor, first: int) -> None:
        """Warn of values in another unit than the statistics, or not standardised at all."""
        if torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
            return
        scaled = self.input.standardize == "specialist" or self.input.mean is not None
        fed = [channel is not None for channel in self.inputs[first].channel_map]
        seen = self.adapters[first](x.detach().float())[:, fed]
        middle, spread = seen.mean((0, 2, 3)).abs().max().item(), seen.std((0, 2, 3)).max().item()
        if scaled and (middle > FARTHEST or 0 < spread < FLATTEST):
            warn(
                f"scaled by their statistics, bands have a mean of {middle:.3g} and a deviation of "
                f"{spread:.3g} where about 0 and 1 are expected; check the unit of the values"
            )
        elif not scaled and middle > FARTHEST:
            warn(
                f"bands have a mean of {middle:.3g} where about 0 is expected; standardise them, "
                "or give mean= and std="
            )
        elif not scaled and spread > 0 and seen.min().item() >= 0 and seen.max().item() <= 1:
            warn(
                "bands have no value outside 0 to 1 where a mean of about 0 and a deviation of 1 "
                "are expected; standardise them, or give mean= and std="
            )

    def _check(self, x: Tensor) -> None:
        expect_map("input", x, self.device)
        expected = self.input.in_chans
        if x.ndim == 4 and 0 in x.shape:
            raise EosfmError(
                f"input has shape {tuple(x.shape)}, which holds no pixel; give at least one image"
            )
        if x.ndim != 4 or x.shape[1] != expected:
            names = f" ({', '.join(self.input.bands)})" if self.input.bands else ""
            raise EosfmError(
                f"input has shape {tuple(x.shape)}, expected (batch, {expected}, height, width)"
                f"{names}; announce other channels with bands= or in_chans="
            )
        own = next(self.models.parameters()).dtype
        if x.dtype != own:
            raise EosfmError(f"input is {x.dtype}, expected {own}; convert and standardise it")


def build_encoder(
    specialists: Sequence[Specialist],
    bands: Sequence[str] | None = None,
    in_chans: int | None = None,
    adaptation: str | None = None,
    standardize: str = "dataset",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    units: Sequence[str] | str | None = None,
    freeze: bool = True,
    copy: bool = True,
    ablate: Sequence[str | int] = (),
    spectral: bool = False,
) -> EnsembleEncoder:
    """Plan what every specialist of an ensemble is fed with, and build those that can be fed.

    Args:
        specialists: The ensemble, from :func:`eosfm.encoding.artifact.load_artifact` for instance.
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
        copy: Whether to copy the specialists' weights. False saves memory where nothing else will
            use them.
        ablate: Specialists to leave out, by name or index in the ensemble.
        spectral: Whether the bands themselves are one more pyramid, the last; it needs
            ``standardize="dataset"``.

    Raises:
        EosfmError: Options are unknown or contradict each other, no specialist can be fed, or
            statistics or units do not fit.
    """
    fits = isinstance(specialists, Sequence) and len(specialists) > 0
    fits = fits and all(isinstance(one, Specialist) for one in specialists)
    expect("specialists", specialists, fits, "a list of Specialist, as load_artifact gives")
    if adaptation is None:
        adaptation = "named" if bands is not None else "counted"
    expect_one_of("adaptation", adaptation, ADAPTATIONS)
    expect_one_of("standardize", standardize, STANDARDIZE)
    expect("spectral", spectral, isinstance(spectral, bool), "True or False")
    if spectral and standardize == "specialist":
        raise EosfmError(
            "spectral=True needs standardised bands, and standardize='specialist' leaves the "
            "input as it is; use standardize='dataset'"
        )
    if SPECTRAL in [specialist.name for specialist in specialists]:
        raise EosfmError(f"a specialist is named {SPECTRAL!r}, as the bands are; rename it")
    several = isinstance(ablate, Sequence) and not isinstance(ablate, str)
    expect("ablate", ablate, several, "a list of names or indices")
    given = describe_input(bands, in_chans, standardize, mean, std, units)
    left_out = _ablated([specialist.name for specialist in specialists], ablate)
    candidates = [i for i, s in enumerate(specialists) if s.name not in left_out]
    inputs, skipped = plan(
        [specialists[i] for i in candidates], given.bands, given.in_chans, adaptation
    )
    inputs = [replace(spec, index=candidates[spec.index]) for spec in inputs]
    fed = {spec.name for spec in inputs}
    members = [specialist for specialist in specialists if specialist.name in fed]
    if spectral:
        inputs.append(spectral_input(given))
    return EnsembleEncoder(members, inputs, given, skipped, freeze, copy)


def _ablated(names: list[str], ablate: Sequence[str | int]) -> set[str]:
    """Names of the specialists to leave out."""
    by_index = dict(enumerate(names))
    left_out = set()
    for item in ablate:
        name = by_index.get(item) if isinstance(item, int) else item
        if name not in names:
            raise EosfmError(f"ablate names {item!r}; {suggest(str(item), names)}")
        left_out.add(name)
    if len(left_out) == len(set(names)):
        raise EosfmError("ablate leaves no specialist; keep at least one")
    return left_out


def _cloned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in weights.items()}


def _wrapped(row: tuple[str, str, str, str]) -> list[tuple[str, str, str, str]]:
    """A row of a table as the rows that its note needs."""
    first, *more = textwrap.wrap(row[3], NOTE_WIDTH) or [""]
    return [(*row[:3], first), *(("", "", "", line) for line in more)]


def _short(sources: tuple[str, ...]) -> str:
    """Names of what the channels are fed with, a long list by its ends."""
    if len(sources) <= 6:
        return " ".join(sources)
    return f"{' '.join(sources[:4])} ... {sources[-1]} ({len(sources)})"
