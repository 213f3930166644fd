"""Our samplers are samplers of Optuna: its own suites for them pass."""

from __future__ import annotations

from functools import partial

import pytest

from autoenc.tuning.cmaes import ReplayedCmaEsSampler
from autoenc.tuning.resilient import ResilientSampler
from autoenc.tuning.sampling import PerTrialSampler, standard_sampler

suites = pytest.importorskip("optuna.testing.pytest_samplers", reason="this Optuna brings no suite")
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


class TestResilient(suites.BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return partial(ResilientSampler, 0)


class TestCmaEs(suites.BasicSamplerTestCase, suites.RelativeSamplerTestCase):
    # It models numbers; choices are drawn independently.
    test_sample_relative_categorical = test_sample_relative_mixed = None

    @pytest.fixture
    def sampler(self):
        return partial(ReplayedCmaEsSampler, 0)


@pytest.mark.parametrize("strategy", ["random", "tpe", "cmaes", "nsgaii"])
class TestPerTrial(suites.BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self, strategy):
        return lambda: PerTrialSampler(lambda seed, number: standard_sampler(strategy, seed), 0)
