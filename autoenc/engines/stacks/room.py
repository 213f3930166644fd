"""Whether a fit has room on a device at all, and what would have."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from autoenc.engines.fit import Fit
from autoenc.engines.split import Split
from autoenc.engines.stacks.division import Candidate, stack_bytes
from autoenc.errors import InputError
from autoenc.models.grid import format_architecture

__all__ = ["Room"]

_GIB = 2**30


class Room(NamedTuple):
    """Memory of a device.

    Attributes:
        device: Its name.
        free_bytes: What is free.
        table_bytes: What the tables take of it.
        itemsize: Bytes of a number.
    """

    device: str
    free_bytes: int
    table_bytes: int
    itemsize: int

    @property
    def left_bytes(self) -> int:
        """What the tables leave."""
        return self.free_bytes - self.table_bytes

    def check(self, fit: Fit, split: Split) -> None:
        """See that a fit has room alone.

        Raises:
            InputError: If not; it says what would.
        """
        if not self._holds(fit, split, self.left_bytes):
            raise self.refusal(fit, split)

    def refusal(self, fit: Fit, split: Split) -> InputError:
        """Return the error that says why a fit has no room, and what would."""
        needed = self._bytes(fit, split)
        room = f"{max(self.left_bytes, 0) / _GIB:.2f} GiB are free beside the table"
        stack = f"stack {format_architecture(fit.architecture)} with batches of {fit.recipe.batch_size} rows"
        text = f"--device {self.device}: {stack} needs about {needed / _GIB:.2f} GiB, and {room}"
        return InputError(f"{text}; {self._advice(fit, split, min(self.left_bytes, needed - 1))}")

    def _advice(self, fit: Fit, split: Split, room_bytes: int) -> str:
        """What would fit: smaller batches, or if none are small enough a narrower stack."""
        batch = min(fit.recipe.batch_size, split.train.size)
        while batch > 1:
            batch //= 2
            if self._holds(replace(fit, recipe=replace(fit.recipe, batch_size=batch)), split, room_bytes):
                return f"--batch_size {batch} would fit"
        width = max(fit.architecture)
        while width > 1:
            width //= 2
            narrow = tuple(min(width, own) for own in fit.architecture)
            if self._holds(replace(fit, architecture=narrow), split, room_bytes):
                return f"a stack of widths up to {width} would fit"
        return "use --engine native, which trains in the memory of the machine"

    def _holds(self, fit: Fit, split: Split, room_bytes: int) -> bool:
        return self._bytes(fit, split) <= room_bytes

    def _bytes(self, fit: Fit, split: Split) -> int:
        return stack_bytes(Candidate.of(fit, split), 1, self.itemsize)
