"""Functions that only compiled ones call: compiled as parts, and optimized once, inside of what calls them.

Numba by itself optimizes each compiled function for good, makes machine code of it, and does both again with
all that it calls in each function on the way up to the one that is called from Python. A part is tidied up
as it is compiled and left at that: the machine code of the whole is the only one that ever runs.
"""

from __future__ import annotations

import copy
from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.cpu import CPUContext
from numba.core.typed_passes import AnnotateTypes

__all__ = ["PartCompiler"]


class _Part(JITCodeLibrary):
    """The code of a function that waits to be linked into another's."""

    def _optimize_final_module(self) -> None:
        """Leave that to what it is linked into."""

    def _finalize_final_module(self) -> None:
        """Make no machine code."""
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: it cannot be called by itself."""
        self._ensure_finalized()
        return 0


class _PartContext(CPUContext):
    """A compilation that ends without anything that could be called from Python."""

    def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:
        """Return what stands for the function where it is looked up; it has no address."""
        library._ensure_finalized()
        name = fndesc.qualname.split(".")[-1]
        return _dynfunc.make_function(fndesc.lookup_module(), name, "", 0, env, (library,))


@register_pass(mutates_CFG=False, analysis_only=False)
class _AsPart(LoweringPass):
    """Gives a function the place that its code will wait in, before there is any."""

    _name = "as_part"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.targetctx = copy.copy(state.targetctx)  # shares everything with the one that others see
        state.targetctx.__class__ = _PartContext
        return True


class PartCompiler(CompilerBase):
    """Numba's usual way, but for parts; for ``njit(pipeline_class=...)``."""

    def define_pipelines(self) -> list[Any]:
        """Return the one way."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_AsPart, AnnotateTypes)
        passes.finalize()
        return [passes]
