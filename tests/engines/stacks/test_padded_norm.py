"""The norm of padded layers, against PyTorch's own of each model alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autoenc.engines.stacks.padded_norm import PaddedNorm
from autoenc.models.network import NORM_EPS


@pytest.mark.parametrize("widths", [(5, 3, 1), (4, 4), (7,)])
def test_values_and_gradients_are_those_of_each_model_alone(widths):
    generator = torch.Generator().manual_seed(0)
    widest = max(widths)
    true = torch.tensor(widths)[:, None, None] > torch.arange(widest)
    is_true = true.double()
    averaging = (is_true / is_true.sum(dim=2, keepdim=True)).transpose(1, 2)
    h = (
        torch.rand(len(widths), 6, widest, generator=generator, dtype=torch.float64) * is_true
    ).requires_grad_()
    weight = torch.rand(len(widths), 6, widest, generator=generator, dtype=torch.float64) * is_true
    found = PaddedNorm.apply(h, is_true, averaging)
    (gradient,) = torch.autograd.grad((found * weight).sum(), h)
    assert (found[~true.expand_as(found)] == 0).all()
    assert (gradient[~true.expand_as(found)] == 0).all()
    for i, width in enumerate(widths):
        alone = h[i, :, :width].detach().requires_grad_()
        expected = functional.layer_norm(alone, (width,), eps=NORM_EPS)
        (own,) = torch.autograd.grad((expected * weight[i, :, :width]).sum(), alone)
        torch.testing.assert_close(found[i, :, :width], expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient[i, :, :width], own, rtol=1e-9, atol=1e-9)
