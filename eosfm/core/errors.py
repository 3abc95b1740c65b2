"""What a user sees when something is wrong: one line, exit status 1."""


class EosfmError(Exception):
    """A fault that the user can mend.

    The message is one line: what was found, what was expected, what to do.
    """


def suggest(name: str, valid: "list[str] | tuple[str, ...]") -> str:
    """Say which names are valid, the nearest first when there is a near one."""
    import difflib

    near = difflib.get_close_matches(name, valid, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}valid: {', '.join(valid)}"


def expect(what: str, value: object, fits: bool, words: str) -> None:
    """Refuse a value that does not fit.

    Raises:
        EosfmError: It does not.
    """
    if not fits:
        raise EosfmError(f"{what} is {str(value)[:80]!r}; expected {words}")
