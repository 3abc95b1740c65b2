"""What a native copy is, and how it is read.

``spec`` says what a dataset and a scene are. A reader finds files (``listing``), decides splits
(``holdout``), and makes scenes of image files (``scenes``), of time series in arrays (``series``)
or of any torchgeo class (``torchgeo``); ``values`` and ``labels`` say what pixels mean. ``copy``,
``manifest`` and ``contents`` keep watch over the files.
"""
