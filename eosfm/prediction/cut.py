"""How a scene is cut for the encoders, and where they run."""

from dataclasses import dataclass

import torch

from eosfm.core.errors import EosfmError
from eosfm.features.device import device as first_device
from eosfm.prediction.windows import GRID, Sweep

PIXELS_CPU, PIXELS_GPU = 512**2, 8 * 512**2
"""Pixels of all dates that are computed at once."""


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

    def batch(self, pixels: int) -> int:
        """How many windows of so many pixels, dates counted, are computed at once."""
        most = PIXELS_CPU if self.where.type == "cpu" else PIXELS_GPU
        return max(1, most // pixels)


def usual_overlap(window: int) -> int:
    """An eighth of a window, but one cell of the grid where there is room for one."""
    return max(window // (8 * GRID), int(window > GRID)) * GRID
