"""What is sent to workers elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from autoenc.searching import remote
from autoenc.searching.remote import remote_fits


@pytest.mark.parametrize(("device", "there"), [("auto", "auto"), ("cuda:1", "cuda:1"), (None, "cpu")])
def test_each_worker_looks_for_a_device_where_none_is_named(monkeypatch, device, there):
    asked = []
    monkeypatch.setattr(remote, "_engine", lambda name, device: asked.append((name, device)))
    monkeypatch.setattr(remote, "train_one", lambda *_, **options: "trained")
    stacked = SimpleNamespace(name="stacked", device="cpu")  # as there is no GPU here
    assert remote_fits(stacked, lambda fold: fold, device).measure(None, None, None) == "trained"
    assert asked == [("stacked", there)]
