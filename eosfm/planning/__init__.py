"""Cost estimates and checks ahead of a run: ``eosfm plan`` and ``eosfm check``.

Nothing here decides a result, and no stage imports it.
"""
