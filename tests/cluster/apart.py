"""Preloaded by workers of a test: as on a machine that does not see the user's folder."""

from pathlib import Path

from eosfm.cluster.clone import Settings

Settings.folder = property(lambda self: Path("/nowhere"))  # type: ignore[assignment]
