"""The torch module: structure, sizes, names, and reading sizes off a state dict."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from autoenc import DynamicAutoencoder
from autoenc.models.network import shape_of_state_dict

ACTIVATIONS = {
    "relu": nn.functional.relu,
    "leaky_relu": nn.functional.leaky_relu,
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "tanh": torch.tanh,
}


def test_structure_is_linear_norm_activation_dropout_and_its_mirror_image():
    model = DynamicAutoencoder(24, 3, (64, 32), dropout=0.25)
    block = [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Dropout]
    assert [type(module) for module in model.encoder] == [*block, *block, nn.Linear]
    assert [type(module) for module in model.decoder] == [*block, *block, nn.Linear]
    assert isinstance(model.input_norm, nn.LayerNorm)
    widths = [
        module.out_features
        for part in (model.encoder, model.decoder)
        for module in part
        if type(module) is nn.Linear
    ]
    assert widths == [64, 32, 3, 32, 64, 24]
    assert {module.eps for module in model.modules() if isinstance(module, nn.LayerNorm)} == {1e-6}
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.25}


def test_state_dict_names_and_shapes():
    model = DynamicAutoencoder(5, 2, (4,))
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == {
        "input_norm.weight": (5,),
        "input_norm.bias": (5,),
        "encoder.0.weight": (4, 5),
        "encoder.0.bias": (4,),
        "encoder.1.weight": (4,),
        "encoder.1.bias": (4,),
        "encoder.4.weight": (2, 4),
        "encoder.4.bias": (2,),
        "decoder.0.weight": (4, 2),
        "decoder.0.bias": (4,),
        "decoder.1.weight": (4,),
        "decoder.1.bias": (4,),
        "decoder.4.weight": (5, 4),
        "decoder.4.bias": (5,),
    }


def test_without_norm_there_is_no_layer_norm_at_all():
    model = DynamicAutoencoder(5, 2, (4, 3), norm="none")
    assert not any(isinstance(module, nn.LayerNorm) for module in model.modules())
    assert set(model.state_dict()) == {
        f"{part}.{at}.{kind}"
        for part in ("encoder", "decoder")
        for at in (0, 3, 6)
        for kind in ("weight", "bias")
    }


def test_the_reference_network_has_12491_parameters():
    model = DynamicAutoencoder(24, 3, (64, 64))
    assert sum(parameter.numel() for parameter in model.parameters()) == 12_491
    assert model.get_model_info() == {
        "input_dim": 24,
        "latent_dim": 3,
        "hidden_dims": [64, 64],
        "dropout": 0.1,
        "total_params": 12_491,
        "encoder_params": 6_211,
        "decoder_params": 6_232,
    }


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_dims", [(), (1,), (7, 5), (6, 4, 4)])
def test_forward_is_the_network_written_out(hidden_dims, activation, norm):
    torch.manual_seed(0)
    model = DynamicAutoencoder(5, 2, hidden_dims, 0.1, activation, norm).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    state = model.state_dict()
    x = torch.randn(6, 5, dtype=torch.float64)

    def normalized(h, name):
        return nn.functional.layer_norm(h, h.shape[1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def through(h, part):
        step = 4 if norm == "layer" else 3
        for i in range(len(hidden_dims) + 1):
            h = h @ state[f"{part}.{i * step}.weight"].T + state[f"{part}.{i * step}.bias"]
            if i < len(hidden_dims):
                h = normalized(h, f"{part}.{i * step + 1}") if norm == "layer" else h
                h = ACTIVATIONS[activation](h)
        return h

    latent = through(normalized(x, "input_norm") if norm == "layer" else x, "encoder")
    reconstruction, found = model(x)
    torch.testing.assert_close(found, latent)
    torch.testing.assert_close(reconstruction, through(latent, "decoder"))
    torch.testing.assert_close(model.encode(x), latent)
    torch.testing.assert_close(model.decode(latent), reconstruction)


def test_weights_start_xavier_uniform_and_biases_at_zero():
    torch.manual_seed(0)
    model = DynamicAutoencoder(40, 30, (60, 50))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            bound = sqrt(6 / (module.in_features + module.out_features))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.05)
            assert not module.bias.any()
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all()
            assert not module.bias.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3, (8,)), r"input_dim must be positive, got \[0\]"),
        ((5, 0, (8,)), r"latent_dim must be positive, got \[0\]"),
        ((5, 3, (8, -1)), r"hidden_dims must be positive, got \(8, -1\)"),
        ((5, 3, (8,), 1.0), r"dropout must be in \[0, 1\), got 1.0"),
        ((5, 3, (8,), -0.1), r"dropout must be in \[0, 1\), got -0.1"),
        ((5, 3, (8,), float("nan")), r"dropout must be in \[0, 1\), got nan"),
        ((5, 3, (8,), 0.1, "swish"), "activation must be one of relu, .*, got 'swish'"),
        ((5, 3, (8,), 0.1, "relu", "batch"), "norm must be 'layer' or 'none', got 'batch'"),
        ((5, 3, (8,), 0.1, "relu", "none", False, False, "x"), "input_norm must be 'same', 'layer' or"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DynamicAutoencoder(*arguments)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.integers(1, 12), max_size=4),
    st.sampled_from(["layer", "none"]),
    st.sampled_from(["same", "layer", "none"]),
)
def test_sizes_are_read_off_a_state_dict(input_dim, latent_dim, hidden_dims, norm, input_norm):
    # What can be left out has one form, and without hidden layers only the input has a norm.
    input_norm = "same" if input_norm == norm or not hidden_dims else input_norm
    model = DynamicAutoencoder(input_dim, latent_dim, hidden_dims, norm=norm, input_norm=input_norm)
    assert shape_of_state_dict(model.state_dict()) == model.shape


def test_many_layers_are_read_in_numeric_order():
    model = DynamicAutoencoder(
        30, 2, (29, 28, 27, 26)
    )  # encoder.12 and encoder.16 sort before encoder.4 as text
    assert shape_of_state_dict(model.state_dict()).hidden_dims == (29, 28, 27, 26)


def changed(state, **changes):
    """The state with values replaced, or dropped where the new value is None."""
    names = {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in {**state, **names}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"decoder__4__weight": torch.zeros(6, 4)},
            r"decoder.4.weight must be of shape \(5, 4\), got \(6, 4\)",
        ),
        ({"encoder__1__bias": torch.zeros(5)}, r"encoder.1.bias must be of shape \(4,\), got \(5,\)"),
        ({"decoder__0__bias": None}, r"decoder.0.bias must be of shape \(4,\), got nothing"),
        ({"extra": torch.zeros(1)}, r"extra must be of shape none \(unknown name\), got \(1,\)"),
        ({"input_norm__bias": None}, "input_norm.bias must be of shape"),
        ({"encoder__0__weight": None, "encoder__4__weight": None}, "must hold encoder.N.weight"),
    ],
)
def test_a_state_dict_of_another_kind_is_refused(changes, message):
    state = DynamicAutoencoder(5, 2, (4,)).state_dict()
    with pytest.raises(ValueError, match=message):
        shape_of_state_dict(changed(state, **changes))
