"""Room for the words around axes that stand one below the other, found by measuring them once.

Matplotlib's constrained layout does that for axes in any order, measures everything twice, and takes as long
as drawing. Titles and labels are given their places here, too: Matplotlib would look for them again whenever
it measures or draws.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
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
        numbers_left: Of what is on the left, the numbers at the axis, behind which its label stands.
        numbers_below: The same below.
        factor: Of what is on top, what the title stands on: a factor of all numbers at the vertical axis.
    """

    left: float
    bottom: float
    right: float
    top: float
    numbers_left: float
    numbers_below: float
    factor: float


class MeasuredLayout(LayoutEngine):
    """Lays out axes in one column: their legends and other words stand beside them, titles on the left."""

    _adjust_compatible = True
    _colorbar_gridspec = True

    def set(self) -> None:
        """There is nothing to set."""

    def execute(self, fig: Figure) -> None:
        """See :class:`matplotlib.layout_engine.LayoutEngine`."""
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
            _place_words(axes, room.numbers_left, room.numbers_below, room.factor)


def _renderer(fig: Figure) -> Any:
    """Return what draws the picture, so that text is measured once for both; another for other formats."""
    own = getattr(fig.canvas, "get_renderer", None)
    return _Renderer(1, 1, fig.dpi) if own is None else own()


def _place_words(axes: Axes, left: float, below: float, above: float) -> None:
    """Place title and labels so many dots from the axes."""
    width, height = axes.bbox.size
    axes.set_title(axes.get_title(loc="left"), loc="left", y=1 + above / height)
    (along, _), (_, upward) = axes.xaxis.label.get_position(), axes.yaxis.label.get_position()
    axes.xaxis.set_label_coords(along, -below / height)
    axes.yaxis.set_label_coords(-left / width, upward)


def _room(axes: Axes, renderer: Any) -> _Room:
    _place_words(axes, 0.0, 0.0, 0.0)
    inner = axes.bbox
    words = [*axes.texts, *([legend] if (legend := axes.get_legend()) else [])]
    horizontal, vertical = (_numbers(axis, axes, renderer) for axis in (axes.xaxis, axes.yaxis))
    outer = Bbox.union([inner, horizontal, vertical, *(word.get_window_extent(renderer) for word in words)])
    dots_per_point = renderer.points_to_pixels(1.0)
    left = inner.x0 - vertical.x0 + dots_per_point * axes.yaxis.labelpad
    below = inner.y0 - horizontal.y0 + dots_per_point * axes.xaxis.labelpad
    label_left = left + axes.yaxis.label.get_window_extent(renderer).width if axes.get_ylabel() else 0.0
    label_below = below + axes.xaxis.label.get_window_extent(renderer).height if axes.get_xlabel() else 0.0
    offset = axes.yaxis.get_offset_text()
    factor = offset.get_window_extent(renderer).y1 - inner.y1 if offset.get_text() else 0.0
    titles = [child for child in axes.get_children() if isinstance(child, Text) and child not in words]
    # One that is longer than the axes are wide goes on beside them.
    heights = [title.get_window_extent(renderer).y1 - inner.y1 for title in titles if title.get_text()]
    return _Room(
        max(inner.x0 - outer.x0, label_left),
        max(inner.y0 - outer.y0, label_below),
        outer.x1 - inner.x1,
        max([outer.y1 - inner.y1, *(factor + height for height in heights)]),
        left,
        below,
        factor,
    )


def _numbers(axis: Axis, axes: Axes, renderer: Any) -> Bbox:
    """Return the box of the axes and of the numbers at one of them."""
    if not axes.axison:
        return axes.bbox
    shown = axis.label.get_visible()
    axis.label.set_visible(False)
    box = axis.get_tightbbox(renderer, for_layout_only=True)
    axis.label.set_visible(shown)
    return Bbox.union([axes.bbox, box]) if box is not None else axes.bbox
