"""Room for the words around axes that stand one below the other, found by measuring them once.

Matplotlib's constrained layout does that for axes in any order, measures everything twice, and takes as long
as drawing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.text import Text
from matplotlib.transforms import Bbox

__all__ = ["MeasuredLayout"]

_Renderer: Any = RendererAgg
_EDGE_INCHES, _GAP_INCHES = 0.04, 0.12
_LEAST = 0.2  # of the picture's width and height for axes, however long the words are


class _Room(NamedTuple):
    """What words take beyond each side of axes, in dots.

    Attributes:
        left: Of the axes.
        bottom: The same.
        right: The same.
        top: With the title.
        factor: Of this, what the title stands on: a factor of all numbers at the vertical axis.
    """

    left: float
    bottom: float
    right: float
    top: float
    factor: float


class MeasuredLayout(LayoutEngine):
    """Lays out axes in one column: their legends and other words stand beside them, titles on the left."""

    _adjust_compatible = True
    _colorbar_gridspec = True

    def set(self) -> None:
        """There is nothing to set."""

    def execute(self, fig: Figure) -> None:
        """See :class:`matplotlib.layout_engine.LayoutEngine`."""
        for axes in fig.axes:
            _raise_title(axes, 0.0)  # Matplotlib would look for its place again and again
        renderer = _renderer(fig)
        rooms = [_room(axes, renderer) for axes in fig.axes]
        (width, height), edge = fig.bbox.size, _EDGE_INCHES * fig.dpi
        left = (max(room.left for room in rooms) + edge) / width
        right = 1 - (max(room.right for room in rooms) + edge) / width
        bottom = (rooms[-1].bottom + edge) / height
        top = 1 - (rooms[0].top + edge) / height
        right, top = max(right, left + _LEAST), max(top, bottom + _LEAST)
        between = [above.bottom + below.top for above, below in pairwise(rooms)]
        gap = max(between, default=0) + _GAP_INCHES * fig.dpi
        axes_height = max((top - bottom) * height - len(between) * gap, _LEAST * height) / len(rooms)
        fig.subplots_adjust(left, bottom, right, top, hspace=gap / axes_height)
        for axes, room in zip(fig.axes, rooms, strict=True):
            if room.factor:
                _raise_title(axes, room.factor / axes.bbox.height)


def _renderer(fig: Figure) -> Any:
    """Return what draws the picture, so that text is measured once for both; another for other formats."""
    own = getattr(fig.canvas, "get_renderer", None)
    return _Renderer(1, 1, fig.dpi) if own is None else own()


def _raise_title(axes: Axes, share: float) -> None:
    """Let the title stand above the axes, by a share of their height."""
    axes.set_title(axes.get_title(loc="left"), loc="left", y=1 + share)


def _room(axes: Axes, renderer: Any) -> _Room:
    inner = axes.bbox
    words = [*axes.texts, *([legend] if (legend := axes.get_legend()) else [])]
    shown = (axes.xaxis, axes.yaxis) if axes.axison else ()
    boxes = [axis.get_tightbbox(renderer, for_layout_only=True) for axis in shown]
    boxes += [word.get_window_extent(renderer) for word in words]
    outer = Bbox.union([inner, *(box for box in boxes if box is not None)])
    offset = axes.yaxis.get_offset_text()
    factor = offset.get_window_extent(renderer).y1 - inner.y1 if offset.get_text() else 0.0
    titles = [child for child in axes.get_children() if isinstance(child, Text) and child not in words]
    # One that is longer than the axes are wide goes on beside them.
    heights = [title.get_window_extent(renderer).y1 - inner.y1 for title in titles if title.get_text()]
    top = max([outer.y1 - inner.y1, *(factor + height for height in heights)])
    return _Room(inner.x0 - outer.x0, inner.y0 - outer.y0, outer.x1 - inner.x1, top, factor)
