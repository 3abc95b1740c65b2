"""Encoders: the one builder."""
