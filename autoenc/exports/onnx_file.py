"""Encoder, decoder and scaling as one graph of ONNX: raw rows in, latent points and raw rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autoenc.exports.describe import description, members_of
from autoenc.exports.onnx_build import Graph
from autoenc.exports.onnx_network import NetworkNodes
from autoenc.exports.onnx_scaling import scaled_rows, unscaled_rows
from autoenc.system.text import json_text

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["onnx_bytes"]


def onnx_bytes(model: FittedAutoencoder | FittedEnsemble) -> bytes:
    """Return a file of ONNX.

    Its input ``rows`` are float64 ``[rows, columns]`` in the original units, NaN where a cell is missing; its
    outputs ``latent``, float32 ``[rows, latent_dim]``, and ``reconstruction``, float64 ``[rows, columns]``.
    An ensemble averages the reconstructions of its members, and has no latent points. The metadata
    ``autoenc`` is a description as JSON; ``columns`` names the columns there.

    Raises:
        InputError: If the package onnx is not installed.
    """
    members, graph = members_of(model), Graph("autoencoder")
    shape, scaling = members[0].model.shape, members[0].scaling
    outputs: dict[str, tuple[Any, list[int | str]]] = {}
    scaled, decoded = scaled_rows(graph, "rows", scaling), []
    for i, member in enumerate(members):
        nodes = NetworkNodes(graph, member.model, "" if len(members) == 1 else f"member_{i}.")
        latent = nodes.encoded(scaled)
        if len(members) == 1:
            graph.named("Identity", "latent", latent)
            outputs["latent"] = np.float32, ["n_rows", shape.latent_dim]
        decoded.append(nodes.decoded(latent))
    graph.named("Identity", "reconstruction", unscaled_rows(graph, graph.op("Mean", *decoded), scaling))
    outputs["reconstruction"] = np.float64, ["n_rows", shape.input_dim]
    inputs: dict[str, tuple[Any, list[int | str]]] = {"rows": (np.float64, ["n_rows", shape.input_dim])}
    proto = graph.model(inputs, outputs, {"autoenc": json_text(description(model))})
    content: bytes = proto.SerializeToString()
    return content
