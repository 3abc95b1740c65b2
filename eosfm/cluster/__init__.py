"""The pipeline on many cores, GPUs or machines: Dask runs the stages, each worker in a clone.

DVC's cache is where the clones meet; see docs/many-gpus.md.
"""
