"""Foundations of all packages: band names, seeds, errors, atomic files, parallel jobs."""
