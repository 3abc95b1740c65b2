"""What a run takes, and what stands in its way: ``eosfm plan`` and ``eosfm check``.

Nothing here decides a result, and no stage imports it.
"""
