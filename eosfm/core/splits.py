"""The three splits that every dataset has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Splits(Generic[A]):
    """One thing for each split."""

    train: A
    val: A
    test: A

    @classmethod
    def of(cls, make: Callable[[Split], A]) -> "Splits[A]":
        """What ``make`` gives for each split's name."""
        return cls(*map(make, SPLITS))

    def __iter__(self) -> Iterator[A]:
        return iter((self.train, self.val, self.test))

    def map(self, change: Callable[[A], B]) -> "Splits[B]":
        """What ``change`` makes of each."""
        return Splits(*map(change, self))
