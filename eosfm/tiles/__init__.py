"""The tile store: a dataset cut to uniform tiles in one format, the only thing training reads."""
