"""Ensemble artifacts as files: what is in one, whether it is sound, parts of it, several as one."""
