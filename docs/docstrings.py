"""Lets examples of docstrings be shown as code that was run."""

from __future__ import annotations

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Reads the section ``Example:`` as ``Examples:``, the only one that the parser knows."""

    def on_object(self, *, obj: griffe.Object, **more: Any) -> None:
        """Change the docstring of an object when it was found."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")
