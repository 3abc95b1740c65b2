"""What a user sees when something is wrong: one line, exit status 1."""

import errno
from collections.abc import Collection

REMEDIES = {
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG): "make room there",
    (errno.EROFS, errno.EACCES, errno.EPERM): "give the right to it, or choose another place",
    (
        errno.EISDIR,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    ): "choose another place",
    (errno.EMFILE, errno.ENFILE): "allow more open files, `ulimit -n 4096`",
    (errno.EIO,): "mend the disk",
}
"""What the user can do, by the numbers with which the system refuses a file."""
MEMORY = (
    "allocate memory", "out of memory", "bad_alloc", "can't start new thread",
    "could not create a primitive", "is killed by signal: Killed",
)  # fmt: skip
"""What libraries say in other errors than Python's own when there is no memory left; the last is
torch's, of a loader process that the system ended for want of it."""
SHARED = ("shared memory(shm)", "out of shared memory")
"""What torch says when its loader processes find no room in ``/dev/shm``."""


class EosfmError(Exception):
    """A fault that the user can mend.

    The message is one line: what was found, what was expected, what to do.
    """


def line_of(error: BaseException) -> str | None:
    """The one-line message for an error caused by an :class:`EosfmError` or the system.

    Explicit causes (``raise ... from``) count in full. Implicit contexts count only for system
    errors: a bug that occurs while an EosfmError is handled must still show its traceback.

    Returns:
        None for any other error, whose traceback says more.
    """
    if isinstance(error, EosfmError):
        # torch's loader processes put a traceback before the message.
        words = str(error).rpartition(f"{__name__}.EosfmError: ")[2].split()
        return "".join(map(shown, " ".join(words)))
    if error.__cause__ is not None:
        return want_of(error) or line_of(error.__cause__)
    origin: BaseException | None = error
    while origin is not None:
        if line := want_of(origin):
            return line
        origin = origin.__cause__ or origin.__context__
    return None


def shown(sign: str) -> str:
    """A sign as it may be printed: names of strangers' files may hold commands to a terminal."""
    return sign if sign.isprintable() else repr(sign)[1:-1]


def want_of(error: BaseException) -> str | None:
    """The message for a system error (memory, disk, permissions, ...); None for any other."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, RuntimeError) and any(words in str(error) for words in SHARED):
        return (
            "loader processes found no room in /dev/shm for their batches; give it more (of a "
            "container: docker run --shm-size=8g), or set scales.<scale>.train.workers and "
            "scales.<scale>.protocol.workers to 0; run again"
        )
    if isinstance(error, MemoryError) or number == errno.ENOMEM or tells_of_memory(error):
        return (
            f"memory ran out ({type(error).__name__}); close other programs or take a larger "
            "machine, or lower batch_size, crop or window; run again"
        )
    for numbers, remedy in REMEDIES.items():
        if number in numbers and isinstance(error, OSError):
            name = error.filename2 or error.filename or "a file"  # of two, where it was to go
            return f"{name} cannot be used ({error.strerror}); {remedy}, and run again"
    return None


def tells_of_memory(error: BaseException) -> bool:
    """Whether a library's error is for want of memory."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in MEMORY)


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
        raise EosfmError(f"{what} is {brief(value)}; expected {words}")


def expect_one_of(what: str, value: object, valid: Collection[str]) -> None:
    """Refuse a value that is none of some names.

    Raises:
        EosfmError: It is not.
    """
    if not isinstance(value, str) or value not in valid:
        shown = brief(value)
        raise EosfmError(f"{what} is {shown}; {suggest(str(value)[:80], tuple(valid))}")


def brief(value: object) -> str:
    """What a value is, in one line of at most 80 characters."""
    return " ".join(repr(value)[:80].split())
