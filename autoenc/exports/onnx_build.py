"""A graph of ONNX that grows by an operation at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoenc.errors import needing

__all__ = ["OPSET", "Graph", "onnx_package"]

OPSET = 17
"""The first with LayerNormalization; ONNX Runtime has read it since 1.12."""
_IR_VERSION = 8


def onnx_package() -> Any:
    """Return the package onnx.

    Raises:
        InputError: If it is not installed.
    """
    with needing("ONNX needs a package that is not installed", "onnx"):
        import onnx
    return onnx


class Graph:
    """Operations and constants, each with a name of its own.

    Args:
        name: Of the graph.
    """

    def __init__(self, name: str) -> None:
        self._onnx = onnx_package()
        self._name = name
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._tensors: list[Any] = []

    def constant(self, value: ArrayLike, dtype: Any = None) -> str:
        """Return the name of an array; equal ones are stored once."""
        array = np.ascontiguousarray(np.asarray(value, dtype))
        array = array.reshape(np.shape(value))
        key = str(array.dtype), array.tobytes(), array.shape
        if key not in self._constants:
            name = f"c{len(self._constants)}"
            self._constants[key] = name
            self._tensors.append(self._onnx.numpy_helper.from_array(array, name))
        return self._constants[key]

    def parameter(self, name: str, value: NDArray[Any]) -> str:
        """Return an array under a name of its own, as the state dict has it."""
        self._tensors.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operation with one output; returns the output's name."""
        output = f"{kind.lower()}_{len(self._nodes)}"
        self.named(kind, output, *inputs, **attributes)
        return output

    def named(self, kind: str, output: str, *inputs: str, **attributes: Any) -> None:
        """Add an operation whose output has this name."""
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [output], **attributes))

    def cast(self, value: str, dtype: Any) -> str:
        """Return the same numbers of another type."""
        return self.op("Cast", value, to=self._type_of(dtype))

    def model(
        self,
        inputs: dict[str, tuple[Any, list[int | str]]],
        outputs: dict[str, tuple[Any, list[int | str]]],
        notes: dict[str, str],
    ) -> Any:
        """Return the checked model, an ``onnx.ModelProto``.

        Args:
            inputs: Type and shape by name; texts in a shape are sizes that are open.
            outputs: The same.
            notes: Metadata by name.
        """
        onnx = self._onnx

        def infos(given: dict[str, tuple[Any, list[int | str]]]) -> list[Any]:
            return [
                onnx.helper.make_tensor_value_info(name, self._type_of(dtype), shape)
                for name, (dtype, shape) in given.items()
            ]

        graph = onnx.helper.make_graph(
            self._nodes, self._name, infos(inputs), infos(outputs), initializer=self._tensors
        )
        opset = [onnx.helper.make_opsetid("", OPSET)]
        model = onnx.helper.make_model(
            graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="autoenc"
        )
        onnx.helper.set_model_props(model, notes)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _type_of(self, dtype: Any) -> int:
        kind: int = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return kind
