from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_suite import EngineSuite

from autoenc.engines.native import NativeEngine
from autoenc.engines.stacked import StackedEngine
from autoenc.engines.torch_loop import TorchEngine


class TestNative(EngineSuite):
    @pytest.fixture
    def engine(self, compiled_engine):
        return compiled_engine


class TestNativeInDoublePrecision(EngineSuite):
    tolerance = 1e-10

    @pytest.fixture
    def engine(self):
        return NativeEngine(np.float64)


class TestTorch(EngineSuite):
    @pytest.fixture
    def engine(self):
        return TorchEngine()


class TestStacked(EngineSuite):
    @pytest.fixture
    def engine(self):
        return StackedEngine()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
class TestTorchOnCuda(EngineSuite):
    @pytest.fixture
    def engine(self):
        return TorchEngine(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
class TestStackedOnCuda(EngineSuite):
    @pytest.fixture
    def engine(self):
        return StackedEngine(device="cuda")
