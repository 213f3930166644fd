"""Pictures as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["png_content"]

_COMPRESSION = 1  # of 9 levels the fastest makes files that are a fifth larger


def png_content(figure: Figure, words: Mapping[str, str] | None = None) -> Callable[[IO[bytes]], object]:
    """Return a figure as content for :func:`autoenc.system.paths.write_atomically`.

    Args:
        figure: Drawn as its user's settings want it when the content is written.
        words: Texts that stand in the file, by their keys.
    """

    def write(file: IO[bytes]) -> None:
        layout = figure.get_layout_engine()
        if layout is not None:  # here, as savefig would draw everything once more to that end
            layout.execute(figure)
            figure.set_layout_engine(None)  # by its name, "none", another that does nothing would stay
        figure.savefig(
            file, format="png", metadata=dict(words or {}), pil_kwargs={"compress_level": _COMPRESSION}
        )

    return write
