"""Scoring downstream tasks: the protocol, the ensemble, what it must beat, analyses."""
