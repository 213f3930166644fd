"""One thread for BLAS: for libraries that are there, and for SciPy's as soon as it is loaded.

SciPy brings a BLAS of its own, and its import takes longer than a short search. So it is not imported to be
told; Python asks everything in ``sys.meta_path`` where a module is, and so tells when it is loaded.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from threadpoolctl import threadpool_limits

__all__ = ["ThreadLimit"]

_LATE = "scipy.linalg"
"""What loads SciPy's BLAS, and is loaded before anything that computes with it."""


class ThreadLimit:
    """Holds from when it is made until it is closed; a finder as those of ``sys.meta_path`` are.

    Args:
        libraries: ``blas``; None for OpenMP, too.
    """

    def __init__(self, libraries: str | None = "blas") -> None:
        self._libraries = libraries
        self._limits: list[threadpool_limits] = []
        self._guard = threading.Lock()
        self._is_open = True
        self._limit()
        if _LATE not in sys.modules:
            sys.meta_path.insert(0, self)

    def close(self) -> None:
        """Give libraries as many threads as they had."""
        with self._guard:
            self._is_open = False
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            while self._limits:
                self._limits.pop().restore_original_limits()

    def _limit(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._guard:
            if self._is_open:
                self._limits.append(threadpool_limits(1, self._libraries))

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is that is waited for, as those say who are asked after this one."""
        finders = list(sys.meta_path)
        if name != _LATE or self not in finders:
            return None
        for finder in finders[finders.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Telling(spec.loader, self._limit)  # type: ignore[assignment]
                return spec
        return None


class _Telling:
    """Loads a module as another one does, and tells."""

    def __init__(self, loader: Any, tell: Callable[[], None]) -> None:
        self._loader, self._tell = loader, tell

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See :class:`importlib.abc.Loader`."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """See :class:`importlib.abc.Loader`."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._tell()
