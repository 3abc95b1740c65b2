"""EosFM: an ensemble artifact as one backbone."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from eosfm.core.errors import EosfmError, expect, suggest
from eosfm.encoding.artifact import (
    STATE_KEY,
    load_entries,
    load_saved,
    read_entries,
    save_artifact,
)
from eosfm.encoding.encoder import EnsembleEncoder, build_encoder
from eosfm.encoding.folder import read_folder
from eosfm.encoding.input import InputFormat, InputSpec, warn
from eosfm.fusion.fuser import Fuser, FusionOptions
from eosfm.nn.faults import weight_faults
from eosfm.nn.pyramid import STRIDES
from eosfm.nn.specialist import Specialist

FUSION = tuple(field.name for field in fields(FusionOptions))
OPTIONS = (
    "adaptation", "standardize", "mean", "std", "units", "freeze", "copy", "ablate",
    "spectral", *FUSION,
)  # fmt: skip
"""Keyword options of :meth:`EosFM.from_specialists`."""

UNSHARED: dict[str, Any] = {"copy": False}
"""Weights just read from a file need no copy: nothing else uses them."""


class EosFM(nn.Module):
    """An ensemble of specialists as one backbone: a frozen encoder and a trainable fusion.

    :meth:`from_artifact`, :meth:`from_pretrained`, :meth:`from_specialists` and :meth:`load` build
    both. The input must be standardised. With your own statistics, in the unit of the values::

        backbone = EosFM.from_artifact("models/eosfm.pth", bands=["B04", "B03", "B02"],
                                       mean=[1380.0, 1120.0, 950.0], std=[640.0, 420.0, 330.0])

    With those of a scene or of a tile store (`data/tiles/<dataset>`), computed in one pass::

        scene = eosfm.statistics("scene.tif")
        backbone = EosFM.from_artifact("models/eosfm.pth", bands=scene.bands,
                                       mean=scene.mean, std=scene.std)

    Or with each specialist's own, if the values have its physical unit (the error names specialists
    of another unit, to leave out with ``ablate=``)::

        backbone = EosFM.from_artifact("models/eosfm.pth", bands=["B04", "B03", "B02"],
                                       standardize="specialist", units="reflectance_1e4")

    Args:
        encoder: From an image to pyramids.
        fuser: From these pyramids to four maps.

    Attributes:
        encoder: As given.
        fuser: As given.
        feature_info: The fused levels, described as timm's models describe theirs.

    Raises:
        EosfmError: An argument has the wrong type, or the fuser expects other pyramids.
    """

    def __init__(self, encoder: EnsembleEncoder, fuser: Fuser) -> None:
        from timm.models import FeatureInfo

        super().__init__()
        for what, half, kind in ("encoder", encoder, EnsembleEncoder), ("fuser", fuser, Fuser):
            expect(what, half, isinstance(half, kind), f"{kind.__name__}; or use from_artifact")
        if encoder.inputs != fuser.inputs:
            raise EosfmError(
                f"the fuser is made for pyramids of {fuser.names}, the encoder gives those of "
                f"{[spec.name for spec in encoder.inputs]}; build it with Fuser(encoder.inputs)"
            )
        self.encoder = encoder
        self.fuser = fuser
        levels = enumerate(zip(fuser.out_channels, STRIDES, strict=True))
        info = [{"num_chs": c, "reduction": s, "module": f"fused.{k}"} for k, (c, s) in levels]
        self.feature_info = FeatureInfo(info, out_indices=tuple(range(len(STRIDES))))

    @classmethod
    def from_specialists(
        cls,
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
        spectral: bool = False,
        **fusion: Any,
    ) -> "EosFM":
        """Build a backbone from an ensemble in memory.

        Args:
            specialists: The ensemble.
            bands: Names of the input's channels; this and what follows up to ``spectral`` is for
                :func:`eosfm.encoding.encoder.build_encoder`, which says more.
            in_chans: Their number alone.
            adaptation: ``named`` or ``counted``.
            standardize: ``dataset`` or ``specialist``.
            mean: The input's mean per channel.
            std: The input's standard deviation per channel.
            units: The input's physical unit, per channel or one for all.
            freeze: Whether the encoders stay as they are.
            copy: Whether to copy the specialists' weights.
            ablate: Specialists to leave out, by name or index.
            spectral: Whether the bands themselves are one more pyramid, without weights, that
                ``max_encoders`` neither counts nor leaves out.
            **fusion: See :class:`eosfm.fusion.fuser.FusionOptions`.

        Raises:
            EosfmError: Options are unknown or contradict each other, no specialist can be fed, or
                statistics or units do not fit.
        """
        if unknown := [name for name in fusion if name not in FUSION]:
            raise EosfmError(f"unknown option {unknown[0]!r}; {suggest(unknown[0], OPTIONS)}")
        encoder = build_encoder(
            specialists, bands, in_chans, adaptation, standardize, mean, std, units, freeze, copy,
            ablate, spectral,
        )  # fmt: skip
        return cls(encoder, Fuser(encoder.inputs, **fusion))

    @classmethod
    def from_artifact(
        cls,
        path: Path | str,
        bands: Sequence[str] | None = None,
        in_chans: int | None = None,
        **options: Any,
    ) -> "EosFM":
        """Open an ensemble artifact; ``options`` are those of :meth:`from_specialists`.

        Of a saved backbone, the specialists alone are opened, with a warning.

        Raises:
            EosfmError: The file cannot be used, or an option is wrong.
        """
        entries = read_entries(path)
        if STATE_KEY in entries[0][2]:
            warn(
                f"the fusion that {path} holds is left out; EosFM.load opens it, for its own bands"
            )
        specialists = load_entries(entries, path)
        return cls.from_specialists(specialists, bands, in_chans, **UNSHARED | options)

    @classmethod
    def load(cls, path: Path | str, freeze: bool = True) -> "EosFM":
        """Open a backbone that :meth:`save` wrote, its fusion weights included.

        Raises:
            EosfmError: The file cannot be used, or holds specialists alone.
        """
        return cls._from_state(*load_saved(path), freeze)

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        bands: Sequence[str] | None = None,
        in_chans: int | None = None,
        **options: Any,
    ) -> "EosFM":
        """Open a folder that ``eosfm export`` wrote, or a local copy of it from the hub.

        With bands it is opened as :meth:`from_artifact` opens the artifact. Without, where the
        artifact was a saved backbone, its fusion is opened too, as by :meth:`load`.

        Raises:
            EosfmError: A file is missing or damaged, or an option is wrong.
        """
        specialists, state = read_folder(folder)
        as_saved = bands is None and in_chans is None and options.keys() <= {"freeze"}
        if state is not None and as_saved:
            return cls._from_state(specialists, state, **options)
        if state is not None:
            warn(f"the fusion that {folder} holds is left out; it opens where no bands are given")
        return cls.from_specialists(specialists, bands, in_chans, **UNSHARED | options)

    @classmethod
    def _from_state(
        cls, specialists: Sequence[Specialist], state: dict[str, Any], freeze: bool = True
    ) -> "EosFM":
        try:
            fuser = Fuser.from_settings(state["fuser"])
            fuser.load_state_dict(state["weights"])
            given = InputFormat.from_dict(state["input"])
            encoder = EnsembleEncoder(
                specialists, fuser.inputs, given, state["skipped"], freeze, copy=False
            )
            backbone = cls(encoder, fuser)
        except EosfmError as error:
            raise EosfmError(f"the saved fusion does not open: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            # Errors that torch and Python raise for settings or weights that do not fit a fusion.
            reason = str(error).strip().splitlines()[0]
            raise EosfmError(
                f"the saved fusion does not open ({type(error).__name__}: {reason}); save it again"
            ) from None
        for line in weight_faults("the saved fusion", fuser.state_dict()):
            raise EosfmError(line)
        return backbone

    def encode(self, x: Tensor) -> list[list[Tensor]]:
        """The frozen half: run the specialists.

        Args:
            x: (B, C, H, W) float, any H and W.

        Returns:
            One pyramid per entry of ``inputs``: four levels (B, C, ceil(H/s), ceil(W/s)).

        Raises:
            EosfmError: The shape, the type or the device is not what was announced.
        """
        return self.encoder.encode(x)

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
        needed = self.fuser.needed()
        pyramids: list[list[Tensor] | None] = [None] * len(self.inputs)
        for index, pyramid in zip(needed, self.encoder.encode(x, needed), strict=True):
            pyramids[index] = pyramid
        return self.fuse(pyramids)

    @property
    def input(self) -> InputFormat:
        """Description of the input: bands, units, standardisation."""
        return self.encoder.input

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each pyramid is: specialist, rule, channels."""
        return self.encoder.inputs

    @property
    def skipped(self) -> dict[str, str]:
        """Specialists that cannot be fed, and why."""
        return self.encoder.skipped

    @property
    def specialists(self) -> list[Specialist]:
        """The specialists that are run, without weights."""
        return self.encoder.specialists

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
        return EosFM(self.encoder.keep(fuser.names), fuser).train(self.training)

    def save(self, path: Path | str) -> None:
        """Write the specialists in use as an artifact that also holds the fusion; see ``load``."""
        state = {
            "fuser": self.fuser.settings(),
            "weights": dict(self.fuser.state_dict()),
            "skipped": self.skipped,
            "input": self.input.as_dict(),
        }
        save_artifact(path, self.encoder.trained(), state)

    def explain(self) -> str:
        """A table of what every specialist is fed with, and why others are not."""
        return self.encoder.explain()
