"""Artifacts in other hands: described, checked, regrouped, published, run by other libraries."""
