"""The stacks of one depth trained at once in JAX: padded to the widest, and mapped over by ``vmap``."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autoenc.engines import Fit, Recipe, Split

__all__ = ["jax_losses"]

EPSILON = 1e-6
Params = list[dict[str, Any]]


def padded(fit: Fit, widths: list[int], n_columns: int, rng: np.random.Generator) -> tuple[Params, list[Any]]:
    """Initial parameters of a stack in layers as wide as the widest one's, and which units are its own."""
    own = [*fit.architecture, fit.latent_dim, *fit.architecture[::-1], n_columns]
    layers, n_in, pad_in = [], n_columns, n_columns
    for n_out, pad_out in zip(own, widths, strict=True):
        weight = np.zeros((pad_in, pad_out), np.float32)
        bound = np.sqrt(6 / (n_in + n_out))
        weight[:n_in, :n_out] = rng.uniform(-bound, bound, (n_in, n_out))
        layer = {"weight": weight, "bias": np.zeros(pad_out, np.float32)}
        layers.append(
            {**layer, "scale": np.ones(pad_out, np.float32), "shift": np.zeros(pad_out, np.float32)}
        )
        n_in, pad_in = n_out, pad_out
    first = {"scale": np.ones(n_columns, np.float32), "shift": np.zeros(n_columns, np.float32)}
    units = [(np.arange(pad) < n).astype(np.float32) for n, pad in zip(own, widths, strict=True)]
    return [first, *layers], units


def norm(x: Any, unit: Any, layer: dict[str, Any]) -> Any:
    n = unit.sum()
    mean = (x * unit).sum(-1, keepdims=True) / n
    variance = (jnp.square(x - mean) * unit).sum(-1, keepdims=True) / n
    return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * layer["scale"] + layer["shift"]


def forward(params: Params, units: list[Any], x: Any, dropout: float, key: Any) -> Any:
    """Reconstructions of rows; dropout 0 outside of training."""
    first, *layers = params
    n_layers = len(layers)
    x = norm(x, jnp.ones(x.shape[-1]), first)
    for i, (layer, unit) in enumerate(zip(layers, units, strict=True)):
        x = x @ layer["weight"] + layer["bias"]
        if i not in (n_layers // 2 - 1, n_layers - 1):  # the latent layer, and the output
            x = jax.nn.relu(norm(x, unit, layer)) * unit
            if dropout:
                kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - dropout, x.shape)
                x = jnp.where(kept, x / (1 - dropout), 0)
    return x


def weighted_loss(
    params: Params, units: Any, x: Any, seen: Any, recipe: Recipe, dropout: float, key: Any
) -> Any:
    """The sparse-aware loss; ``seen`` is 0 for missing cells and rows that only fill a batch."""
    nonzero = seen * (x != 0)
    weights = recipe.all_weight * seen / jnp.maximum(seen.sum(), 1)
    weights += recipe.nonzero_weight * nonzero / jnp.maximum(nonzero.sum(), 1)
    return (jnp.square(forward(params, units, x, dropout, key) - x) * weights).sum()


def jax_losses(split: Split, fits: list[Fit], seed: int) -> list[float]:
    """Final test losses of stacks of one depth."""
    recipe, n_columns = fits[0].recipe, split.values.shape[1]
    widest = [max(fit.architecture[i] for fit in fits) for i in range(len(fits[0].architecture))]
    widths = [*widest, fits[0].latent_dim, *widest[::-1], n_columns]
    rng = np.random.default_rng(seed)
    made = [padded(fit, widths, n_columns, rng) for fit in fits]
    params, units = jax.tree.map(lambda *parts: np.stack(parts), *made)
    sides = [split.values[rows] for rows in (split.train, split.test)]
    (x, seen), (test, test_seen) = (
        (jnp.asarray(np.nan_to_num(side)), jnp.asarray(~np.isnan(side), jnp.float32)) for side in sides
    )
    trained = jax.jit(jax.vmap(partial(train, recipe=recipe), in_axes=(0, 0, 0, None, None, None, None)))
    keys = jax.random.split(jax.random.key(seed), len(fits))
    return np.asarray(trained(params, units, keys, x, seen, test, test_seen))[:, -1].tolist()


def train(
    params: Params, units: Any, key: Any, x: Any, seen: Any, test: Any, test_seen: Any, recipe: Recipe
) -> Any:
    """Test losses of one stack after each epoch."""
    n_rows, size = x.shape[0], recipe.batch_size
    n_steps = -(-n_rows // size)
    x, seen = (jnp.concatenate([cells, jnp.zeros((1, cells.shape[1]))]) for cells in (x, seen))
    gradient = jax.grad(weighted_loss)
    zeros = jax.tree.map(jnp.zeros_like, params)

    def step(state: Any, rows_key: Any) -> tuple[Any, None]:
        (params, m, v, n, rate), (rows, key) = state, rows_key
        g = gradient(params, units, x[rows], seen[rows], recipe, recipe.dropout, key)
        n = n + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)

        def updated(p: Any, m: Any, v: Any) -> Any:
            change = m / (1 - 0.9**n) / (jnp.sqrt(v / (1 - 0.999**n)) + 1e-8)
            return p - rate * (change + recipe.weight_decay * p)

        return (jax.tree.map(updated, params, m, v), m, v, n, rate), None

    def epoch(state: Any, number: Any) -> tuple[Any, Any]:
        params, m, v, n = state
        rate = (
            recipe.eta_min
            + (recipe.initial_lr - recipe.eta_min) * (1 + jnp.cos(jnp.pi * number / recipe.epochs)) / 2
        )
        order = jax.random.permutation(jax.random.fold_in(jax.random.key(0), number), n_rows)
        rows = jnp.concatenate([order, jnp.full(n_steps * size - n_rows, n_rows)]).reshape(n_steps, size)
        keys = jax.random.split(jax.random.fold_in(key, number), n_steps)
        (params, m, v, n, _), _ = jax.lax.scan(step, (params, m, v, n, rate), (rows, keys))
        return (params, m, v, n), weighted_loss(params, units, test, test_seen, recipe, 0.0, key)

    _, losses = jax.lax.scan(epoch, (params, zeros, zeros, 0.0), jnp.arange(recipe.epochs))
    return losses
