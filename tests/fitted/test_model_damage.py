"""Model files: a change of their bytes is refused or changes nothing, and what makes no sense is refused."""

from __future__ import annotations

import json
import math
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoenc import FittedAutoencoder, FittedEnsemble, InputError, load_model
from autoenc.fitted.autoencoder import save_model
from autoenc.fitted.ensemble import save_ensemble
from autoenc.two_stage.checkpoint import FittedTransfer, save_transfer

KINDS = ("model", "ensemble", "transfer")
N_MUTATIONS = 60  # of each kind of file


def asset(root: Path, kind: str) -> Path:
    return root / "tests" / "assets" / f"{kind}-format1.pth"


@pytest.fixture(scope="module")
def sealed(root, tmp_path_factory) -> dict[str, Path]:
    """A file of each kind as this version writes it."""
    folder = tmp_path_factory.mktemp("sealed")
    paths = {kind: folder / f"{kind}.pth" for kind in KINDS}
    save_model(paths["model"], load_model(asset(root, "model")))
    save_ensemble(paths["ensemble"], load_model(asset(root, "ensemble")))
    save_transfer(paths["transfer"], load_model(asset(root, "transfer")))
    return paths


def answer(model: FittedAutoencoder | FittedEnsemble) -> bytes:
    """All that a model says of some rows and of itself."""
    members = model.members if isinstance(model, FittedEnsemble) else [model]
    rows = model.scaling.center + model.scaling.scale * np.random.default_rng(1).normal(
        size=(3, len(model.scaling.center))
    )
    said = [model.reconstruct(rows).tobytes(), repr(model.columns).encode(), repr(model.info).encode()]
    for member in members:
        said += [member.encode(rows).tobytes(), repr(member.info).encode()]
    if isinstance(model, FittedTransfer):
        said.append(model.predict(rows).to_csv().encode())
    return b"".join(said)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, lost, doubled, or filled with another value."""
    found = bytearray(content)
    start = int(rng.integers(len(found)))
    length = int(rng.choice([1, 1, 1, 2, 8, 64, 512]))
    match rng.integers(6):
        case 0:
            found[start] ^= 1 << int(rng.integers(8))
        case 1:
            found[start] = int(rng.integers(256))
        case 2:
            del found[start : start + length]
        case 3:
            found[start:start] = found[start : start + length]
        case 4:
            found[start : start + length] = rng.bytes(len(found[start : start + length]))
        case 5:
            other = int(rng.integers(len(found)))
            found[start : start + length] = found[other : other + length]
    return bytes(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("written", ["now", "earlier"])
def test_no_change_of_bytes_changes_an_answer(root, sealed, tmp_path, kind, written):
    source = sealed[kind] if written == "now" else asset(root, kind)
    content, expected = source.read_bytes(), answer(load_model(source))
    rng = np.random.default_rng(sum(map(ord, kind + written)))
    path, n_refused = tmp_path / "m.pth", 0
    for i in range(N_MUTATIONS):
        path.write_bytes(mutated(content, rng))
        try:
            found = answer(load_model(path))
        except InputError as error:
            refusal = str(error)
        else:
            assert found == expected, i
            continue
        assert refusal.startswith(f"{path}: "), i
        assert "\n" not in refusal, i
        n_refused += 1
    assert n_refused > N_MUTATIONS / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_with_checksums_made_right_again_is_refused(sealed, tmp_path, kind):
    """As somebody would make it who knows the format: the digest stands in the file, and does not fit."""
    rng = np.random.default_rng(3)
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(sealed[kind]) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    names = [name for name in parts if "/data/" in name and parts[name]]
    for name in rng.permutation(names)[:12]:
        changed = bytearray(parts[name])
        place = int(rng.integers(len(changed)))
        changed[place] ^= 1
        path = tmp_path / "m.pth"
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in parts.items():
                archive.writestr(each, bytes(changed) if each == name else content)
        with pytest.raises(InputError, match=r"is a damaged model file: .*(those that were written|must)"):
            load_model(path)


def test_a_wrong_checksum_is_told_in_a_line(sealed, tmp_path):
    content = bytearray(sealed["model"].read_bytes())
    with zipfile.ZipFile(sealed["model"]) as archive:
        part = next(info for info in archive.infolist() if info.filename.endswith("/data/2"))
    name_size, extra_size = struct.unpack("<HH", content[part.header_offset + 26 : part.header_offset + 30])
    content[part.header_offset + 30 + name_size + extra_size] ^= 4
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^\S+m\.pth: is damaged: the checksum of '\w+/data/2' is wrong$"):
        load_model(path)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_files_of_earlier_versions_are_read_and_give_the_same(root, kind):
    expected = json.loads((root / "tests/assets/model-format1.json").read_text())
    model, rows = load_model(asset(root, kind)), np.array(expected["rows"], float)
    assert model.columns == expected["columns"]
    found = model.encode(rows) if kind == "model" else model.reconstruct(rows)
    name = "latents" if kind == "model" else "reconstructions"
    np.testing.assert_allclose(found, expected[name], rtol=1e-5)


NAN, INFINITE = math.nan, math.inf


def changed(part: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    """A change of a part of a model file, named as ``part.part``."""

    def apply(content: dict[str, Any]) -> None:
        *way, last = part.split("/")
        for name in way:
            content = content[name]
        content[last] = change(content[last])

    return apply


WEIGHT, SCALE, CENTER = "state_dict/encoder.0.weight", "scaling/scale", "scaling/center"
NO_SENSE = {
    "NaN weight": changed(WEIGHT, lambda x: x * NAN),
    "infinite weight": changed(WEIGHT, lambda x: x / 0),
    "complex weight": changed(WEIGHT, lambda x: x.to(torch.complex64)),
    "whole weights": changed(WEIGHT, lambda x: x.long()),
    "truth values": changed(WEIGHT, lambda x: x > 0),
    "weights in quarter precision": changed(WEIGHT, lambda x: x.to(torch.float8_e5m2)),
    "sparse weights": changed(WEIGHT, lambda x: x.to_sparse()),
    "weights nowhere": changed(WEIGHT, lambda x: x.to("meta")),
    "a number for terabytes of weights": changed(
        WEIGHT, lambda x: torch.zeros(1).expand(2_000_000_000, 2_000_000)
    ),
    "a huge bias": changed("state_dict/encoder.0.bias", lambda x: torch.zeros(1).expand(10**15)),
    "no latent unit": changed("state_dict/decoder.0.weight", lambda x: x[:, :0]),
    "no column": changed(WEIGHT, lambda x: x[:, :0]),
    "a weight that is a list": changed(WEIGHT, lambda x: x.tolist()),
    "NaN scale": changed(SCALE, lambda x: x * NAN),
    "negative scale": changed(SCALE, lambda x: -x),
    "infinite scale": changed(SCALE, lambda x: x / 0),
    "scales all 0": changed(SCALE, lambda x: x * 0),
    "a scale without scaling": changed("scaling/kind", lambda x: "none"),
    "a center of zeros": changed("scaling/kind", lambda x: "maxabs"),
    "complex scale": changed(SCALE, lambda x: x.to(torch.complex128)),
    "whole scale": changed(SCALE, lambda x: x.long() + 1),
    "single scale": changed(SCALE, lambda x: x.float()),
    "NaN center": changed(CENTER, lambda x: x * NAN),
    "huge center": changed(CENTER, lambda x: torch.zeros(1, dtype=torch.float64).expand(10**15)),
    "unknown scaling": changed("scaling/kind", lambda x: "logarithm"),
    "scaling of no name": changed("scaling/kind", lambda x: ["standard"]),
    "numbers as columns": changed("columns", lambda x: [0, 1, 2, 3][: len(x)]),
    "None among columns": changed("columns", lambda x: [None, *x[1:]]),
    "repeated column": changed("columns", lambda x: [x[0], *x[:-1]]),
    "a text as columns": changed("columns", lambda x: "abcd"[: len(x)]),
    "a column too many": changed("columns", lambda x: [*x, "more"]),
    "epochs as text": changed("recipe/epochs", lambda x: "3"),
    "NaN learning rate": changed("recipe/initial_lr", lambda x: NAN),
    "impossible dropout": changed("recipe/dropout", lambda x: 1.5),
    "unknown family": changed("recipe/family", lambda x: "gan"),
    "markers that are numbers": changed("info", lambda x: {**x, "na_values": [-999]}),
    "info of numbers": changed("info", lambda x: {3: 4}),
    "info that contradicts": changed("info", lambda x: {**x, "latent_dim": 7}),
    "format version that is true": changed("version", lambda x: True),
    "version as tensor": changed("version", lambda x: torch.tensor([1, 1])),
}


@pytest.mark.parametrize("written", ["now", "earlier"])
@pytest.mark.parametrize("kind", ["model", "ensemble"])
@pytest.mark.parametrize("what", NO_SENSE)
def test_a_file_that_makes_no_sense_is_refused(root, sealed, tmp_path, what, kind, written):
    content = torch.load(sealed[kind] if written == "now" else asset(root, kind), weights_only=True)
    if kind == "ensemble" and "version" in what:
        pytest.skip("the version of an ensemble's member says nothing")
    NO_SENSE[what](content["members"][1] if kind == "ensemble" else content)
    path = tmp_path / "m.pth"
    torch.save(content, path)
    with pytest.raises(InputError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


HEADS = {
    "NaN head": changed("heads/first.regression.weight", lambda x: x * NAN),
    "whole head": changed("heads/last.classification.weight", lambda x: x.long()),
    "scale 0 of a latent dimension": changed("heads/scale", lambda x: x * 0),
    "infinite unit": changed("units", lambda x: [0.0, INFINITE]),
    "NaN unit": changed("units", lambda x: [NAN, 1.0]),
    "unit 0": changed("units", lambda x: [0.0, 0.0]),
    "one unit": changed("units", lambda x: [0.0]),
    "equal classes": changed("classes", lambda x: [1, 1]),
    "one class": changed("classes", lambda x: [1]),
    "a class that is a list": changed("classes", lambda x: [1, [2]]),
    "a target that is no text": changed("targets", lambda x: {**x, "regression": 3}),
    "an unknown target": changed("targets", lambda x: {**x, "ranking": "a"}),
    "targets of one name": changed("targets", lambda x: dict.fromkeys(x, "a")),
    "loss as text": changed("stage1_loss", lambda x: "low"),
}


@pytest.mark.parametrize("written", ["now", "earlier"])
@pytest.mark.parametrize("what", [*HEADS, "NaN weight", "negative scale", "repeated column"])
def test_heads_that_make_no_sense_are_refused(root, sealed, tmp_path, what, written):
    content = torch.load(
        sealed["transfer"] if written == "now" else asset(root, "transfer"), weights_only=True
    )
    {**NO_SENSE, **HEADS}[what](content)
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(InputError, match=r"m\.pth: is a damaged model file: "):
        load_model(tmp_path / "m.pth")


@pytest.mark.parametrize("what", [name for name in NO_SENSE if "weight" in name or "bias" in name])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bare_state_dict_that_makes_no_sense_is_refused(root, tmp_path, what, wrapped):
    content = {"state_dict": torch.load(asset(root, "model"), weights_only=True)["state_dict"]}
    NO_SENSE[what](content)
    torch.save(content if wrapped else content["state_dict"], tmp_path / "m.pth")
    with pytest.raises(InputError, match=r"m\.pth: .*not an autoencoder of this kind|not a model file"):
        load_model(tmp_path / "m.pth")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_bare_state_dict_of_any_real_precision_loads(root, tmp_path, dtype):
    state = torch.load(asset(root, "model"), weights_only=True)["state_dict"]
    torch.save({name: value.to(dtype) for name, value in state.items()}, tmp_path / "m.pth")
    model = load_model(tmp_path / "m.pth").model
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.state_dict(), state, rtol=0.01, atol=0.01)


def test_weights_past_single_precision_are_refused(root, tmp_path):
    state = torch.load(asset(root, "model"), weights_only=True)["state_dict"]
    torch.save({name: value.double() * 1e300 for name, value in state.items()}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="must hold finite numbers"):
        load_model(tmp_path / "m.pth")


def test_a_part_that_nobody_knows_is_refused_where_no_digest_vouches_for_it(root, sealed, tmp_path):
    content = torch.load(asset(root, "model"), weights_only=True)
    torch.save({**content, "inf0": {}}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="'inf0' is no part of such a file"):
        load_model(tmp_path / "m.pth")
    content = torch.load(sealed["model"], weights_only=True)
    content["digesu"] = content.pop("digest")
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(InputError, match="'digesu' is no part of such a file"):
        load_model(tmp_path / "m.pth")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device or a pipe, not a model file"):
        load_model(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device or a pipe, not a model file"):
        load_model("/dev/zero")


def test_compressed_parts_are_refused(sealed, tmp_path):
    """They could fill the memory."""
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(sealed["model"]) as one, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as other:
        for name in one.namelist():
            other.writestr(name, one.read(name))
    with pytest.raises(InputError, match="whose parts are never compressed"):
        load_model(path)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_may_stand_in_a_file_that_is_not_of_it(root, sealed, tmp_path, kind):
    source = sealed.get(kind) or asset(root, kind)
    path = tmp_path / "m.pth"
    for behind in (b"\0", b"PK", b"x" * 70_000):
        path.write_bytes(source.read_bytes() + behind)
        with pytest.raises(InputError, match=r"is damaged|is truncated or not a model file"):
            load_model(path)
    shutil.copy(source, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{archive.namelist()[0].partition('/')[0]}/notes.txt", b"more")
    with pytest.raises(InputError, match=r"is damaged: '\S+/notes\.txt' is no part of a model file"):
        load_model(path)


def test_content_without_end_is_refused(root, tmp_path):
    content = torch.load(asset(root, "model"), weights_only=True)
    endless: list[Any] = []
    endless.append(endless)
    torch.save({**content, "info": {"note": endless}, "digest": "0"}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="it holds too many values"):
        load_model(tmp_path / "m.pth")


def test_what_no_file_could_give_back_is_not_saved(root, tmp_path):
    model = load_model(asset(root, "model"))
    model.info["note"] = object()
    with pytest.raises(ValueError, match="a model file holds tensors, numbers, text"):
        save_model(tmp_path / "m.pth", model)
    model.info["note"] = np.float64(0.5)
    save_model(tmp_path / "m.pth", model)
    assert load_model(tmp_path / "m.pth").info["note"] == 0.5


def test_a_damaged_model_ends_a_command_with_a_line(sealed, tmp_path, call, table_csv):
    path = tmp_path / "m.pth"
    shutil.copy(sealed["model"], path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        part = max(archive.infolist(), key=lambda info: info.file_size * ("/data/" in info.filename))
        value = archive.read(part)
    content[content.index(value)] ^= 1  # a number of its parameters
    path.write_bytes(content)
    answer = call("encode", "--model", path, "--data_path", table_csv, "--output", tmp_path / "l.csv")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "l.csv").exists()
