"""How a scene is cut for the encoders, and where they run."""

from dataclasses import dataclass

import torch

from eosfm.core.errors import EosfmError
from eosfm.core.parallel import cores
from eosfm.features.device import device as first_device
from eosfm.prediction.windows import GRID, Load, Sweep

PIXELS_CPU, PIXELS_GPU = 512**2, 8 * 512**2
"""Pixels of all dates in a batch, ..."""
AT_ONCE_CPU = 4
"""... and how many such batches there is memory for."""


@dataclass(frozen=True)
class Cut:
    """How a scene is cut.

    Attributes:
        window: Side of the windows, pixels; None for the size that fits.
        overlap: Pixels by which they overlap, of maps alone; None for an eighth of the window.
        device: A torch device; None for the first GPU where there is one.
    """

    window: int | None = None
    overlap: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise EosfmError(f"a window of {self.window} px; expected 1 or more; change --window")

    def sweep(self, scene: tuple[int, int], usual: int) -> Sweep:
        """Overlapping windows over a scene, of ``usual`` pixels where nothing else is asked for.

        Raises:
            EosfmError: See :meth:`eosfm.prediction.windows.Sweep.blended`.
        """
        window = self.window or -(-usual // GRID) * GRID
        overlap = usual_overlap(window) if self.overlap is None else self.overlap
        return Sweep.blended(scene, window, overlap)

    @property
    def where(self) -> torch.device:
        """The device.

        Raises:
            EosfmError: torch does not know it, or it is not there.
        """
        if self.device is None:
            return first_device()
        try:
            return torch.empty(0, device=self.device).device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise EosfmError(
                f"--device {self.device} cannot be used ({reason}); give cpu or cuda"
            ) from None

    def load(self, sweep: Sweep, dates: int = 1) -> Load:
        """How many windows of so many dates are computed at once."""
        pixels = sweep.window[0] * sweep.window[1] * dates
        if self.where.type != "cpu":
            return Load(max(1, PIXELS_GPU // pixels), 2)  # one is read while one is computed
        batch = max(1, PIXELS_CPU // pixels)
        most = min(len(sweep.batches(batch)), AT_ONCE_CPU * PIXELS_CPU // (batch * pixels))
        return Load(batch, max(1, min(cores(), most)))


def usual_overlap(window: int) -> int:
    """An eighth of a window, but one cell of the grid where there is room for one."""
    return max(window // (8 * GRID), int(window > GRID)) * GRID
