"""The ``eosfm`` commands: one thin module each, which imports what it runs when it runs."""
