"""Checkpoints of fits, so that a killed one loses a minute of work and no more."""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from eosfm.core import tensors
from eosfm.core.closure import ROOT, code_hash
from eosfm.core.errors import EosfmError

SECONDS = 60.0
"""Time between two checkpoints; it does not affect the result of a resumed fit."""


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one stage, keyed by everything that decides a fit's result.

    Attributes:
        folder: For checkpoints. They stay when their fits are done, until :meth:`clear`.
        script: File name of the stage's script; its code is part of the key.
        files: Files that the stage reads (stores, features, the artifact), part of the key.
    """

    folder: Path
    script: str
    files: tuple[Path, ...]

    def of(self, *decisive: Any) -> "Checkpoint":
        """The checkpoint of some fits.

        Args:
            *decisive: Plain values that decide their result, those of ``params.yaml`` included.
        """
        return Checkpoint(self, decisive)

    def clear(self) -> None:
        """Remove all checkpoints once the stage is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, decisive: Any) -> Path:
        """The file of fits that these values decide."""
        digest = hashlib.sha256(self._inputs + repr(decisive).encode())
        return self.folder / f"{digest.hexdigest()[:16]}.pt"

    @cached_property
    def _inputs(self) -> bytes:
        digest = hashlib.sha256(torch.__version__.encode())
        digest.update(code_hash(ROOT / "stages" / self.script).encode())
        for path in self.files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.digest()


class Checkpoint:
    """The latest state of some fits that are trained together."""

    def __init__(self, all_of_stage: Checkpoints, decisive: Any) -> None:
        self.folder = all_of_stage.folder
        self._name = partial(all_of_stage.path, decisive)
        self._begun = self._saved = time.monotonic()

    @cached_property
    def path(self) -> Path:
        """The file; lazy, since its name hashes all inputs and short fits never need it."""
        return self._name()

    def read(self) -> Any:
        """State that an interrupted run left; None if there is none.

        A damaged file is reported and removed, so that the fits start again.
        """
        if not (self.folder.exists() and self.path.exists()):
            return None
        try:
            return tensors.read(self.path)
        except EosfmError as error:
            print(f"checkpoint dropped, its fits start again: {error}", flush=True)
            self.path.unlink()
            return None

    def offer(self, state: Callable[[], Mapping[str, Any] | None]) -> None:
        """Write the state if it is time, and there is one."""
        if time.monotonic() - self._saved >= SECONDS and (found := state()) is not None:
            self.write(found)
            self._saved = time.monotonic()

    def done(self, state: Callable[[], Mapping[str, Any] | None]) -> None:
        """Write the final state of long fits, so that a stage killed later need not repeat them."""
        if time.monotonic() - self._begun >= SECONDS and (found := state()) is not None:
            self.write(found)

    def write(self, state: Mapping[str, Any]) -> None:
        """Write a state at once."""
        tensors.write(self.path, state)
