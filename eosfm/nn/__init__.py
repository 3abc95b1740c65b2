"""Encoders: the one builder, and the file that holds a trained one."""
