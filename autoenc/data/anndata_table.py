"""Reading annotated matrices, ``.h5ad``.

Read with h5py by their published format, which spares the library of that name and all that it needs.
"""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.naming import refuse_repeated
from autoenc.errors import InputError, listed, needing

__all__ = ["HDF5_MAGIC", "read_h5ad"]

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_h5ad(
    name: str, file: IO[bytes], layer: str | None = None
) -> tuple[pd.DataFrame, frozenset[str], list[str]]:
    """Return the matrix with a column for each variable, and the annotations of rows beside it.

    Args:
        name: Of the table, for messages.
        file: All of it.
        layer: Which layer is the matrix; None for ``X``.

    Returns:
        The table, the names of its columns that annotate rows, and a sentence where there are other layers.

    Raises:
        InputError: If it is no such file or layer, two columns have one name, or a package is missing.
    """
    with needing(f"{name}: reading .h5ad needs h5py", "anndata"):
        import h5py
    try:
        with h5py.File(file, "r") as root:
            if "var" not in root or "obs" not in root:
                raise InputError(f"{name}: is HDF5 without obs and var, which .h5ad has")
            layers = [str(key) for key in root.get("layers", ())]
            matrix, variables = _matrix(_chosen(name, root, layers, layer)), _index(root["var"])
            notes = {key: _column(root["obs"][key]) for key in _order(root["obs"])}
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{name}: is not a readable .h5ad file: {error}") from None
    if matrix.shape[1] != len(variables):
        raise InputError(f"{name}: X has {matrix.shape[1]} columns, but var {len(variables)} names")
    refuse_repeated(name, [*variables, *notes])
    said = [f"X is read, and not {listed(layers)}; --sheet names a layer"] if layers and layer is None else []
    frame = pd.DataFrame(matrix, columns=pd.Index(variables))
    return pd.concat([frame, pd.DataFrame(notes, index=frame.index)], axis=1), frozenset(notes), said


def _chosen(name: str, root: Any, layers: list[str], layer: str | None) -> Any:
    """Return the matrix that is asked for."""
    if layer is not None:
        if layer not in layers:
            raise InputError(f"{name}: has no layer {layer!r}; it has {listed(layers) or 'none'}")
        return root["layers"][layer]
    if "X" not in root:
        others = f"; --sheet names a layer: {listed(layers)}" if layers else ""
        raise InputError(f"{name}: has no matrix X{others}")
    return root["X"]


def _matrix(node: Any) -> NDArray[np.float64]:
    kind = node.attrs.get("encoding-type", "array")
    if kind not in ("csr_matrix", "csc_matrix"):
        return np.asarray(node, dtype=np.float64)
    from scipy import sparse

    parts = (np.asarray(node["data"]), np.asarray(node["indices"]), np.asarray(node["indptr"]))
    made = sparse.csr_matrix if kind == "csr_matrix" else sparse.csc_matrix
    return np.asarray(made(parts, shape=tuple(node.attrs["shape"])).toarray(), dtype=np.float64)


def _index(group: Any) -> list[str]:
    return list(map(str, _column(group[group.attrs["_index"]])))


def _order(group: Any) -> list[str]:
    return [word.decode() if isinstance(word, bytes) else str(word) for word in group.attrs["column-order"]]


def _is_text(node: Any) -> bool:
    from h5py import check_string_dtype

    return check_string_dtype(node.dtype) is not None


def _column(node: Any) -> Any:
    """Return a column by the kind that is written beside it."""
    kind = node.attrs.get("encoding-type", "array")
    if kind == "categorical":
        labels, codes = _column(node["categories"]), np.asarray(node["codes"], dtype=np.int64)
        is_ordered = bool(node.attrs.get("ordered", False))
        return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(labels), is_ordered))
    if kind.startswith("nullable-"):
        values, missing = _column(node["values"]), np.asarray(node["mask"], dtype=bool)
        if kind == "nullable-integer":
            return pd.arrays.IntegerArray(values, missing)
        if kind == "nullable-boolean":
            return pd.arrays.BooleanArray(values, missing)
        return pd.Series(values, dtype=object).mask(missing, None)
    if _is_text(node):
        return np.asarray(node.asstr()[:], dtype=object)
    return np.asarray(node)
