"""Preloaded by workers of a test: as on a machine that does not see the user's folder."""

from eosfm.cluster import clone

clone.sees = lambda folder, cache: False
