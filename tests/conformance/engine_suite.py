"""What every engine must do; a subclass provides the fixture ``engine``.

It may set ``tolerance``, the largest relative difference of a loss from that of the reference, PyTorch in
double precision.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import nan

import numpy as np
import pytest
import torch

from autoenc.engines import Fit, Recipe, StopFlag, Stopped
from autoenc.engines.torch_loop import TorchEngine
from autoenc.models.loss import sparse_aware_loss
from autoenc.models.network import DynamicAutoencoder

FIT = Fit((9, 5), 2, Recipe(epochs=4, batch_size=8, norm="none", dropout=0.2))
KINDS = {
    "plain": FIT,
    "norm": replace(FIT, recipe=replace(FIT.recipe, norm="layer")),
    "denoising": replace(FIT, recipe=replace(FIT.recipe, family="dae", corruption=0.3)),
    "variational": replace(FIT, recipe=replace(FIT.recipe, family="vae", kl_weight=0.1)),
    "from PCA": replace(FIT, recipe=replace(FIT.recipe, start="pca")),
}
PATIENT = Fit((9, 5), 2, Recipe(epochs=30, batch_size=8, initial_lr=0.1, patience=3, min_epochs=1))
DIVERGING = replace(FIT, recipe=replace(FIT.recipe, initial_lr=1e30))


def bits(outcome):
    """All of an outcome but its time."""
    state = {name: value.tobytes() for name, value in outcome.state.items()}
    return replace(outcome, seconds=0.0, state=state)


class EngineSuite:
    """Behaviour that searches rely on."""

    tolerance = 1e-3

    @pytest.fixture
    def split(self, make_split):
        return make_split()

    @pytest.mark.parametrize("fit", KINDS.values(), ids=KINDS)
    def test_it_trains_what_the_reference_trains(self, engine, split, fit):
        found, expected = engine.fit(split, fit), TorchEngine(np.float64).fit(split, fit)
        assert found.failure is None
        assert found.test_losses == pytest.approx(expected.test_losses, rel=self.tolerance)
        assert found.train_losses == pytest.approx(expected.train_losses, rel=self.tolerance)
        assert (found.start_loss is None) == (expected.start_loss is None) == (fit.recipe.start == "random")
        assert found.start_loss is None or found.start_loss == pytest.approx(expected.start_loss, rel=1e-3)

    @torch.no_grad()
    @pytest.mark.parametrize("fit", [*KINDS.values(), PATIENT], ids=[*KINDS, "patient"])
    def test_losses_are_those_of_the_parameters_that_were_kept(self, engine, split, fit):
        outcome, network = engine.fit(split, fit), fit.network(split.values.shape[1])
        model = DynamicAutoencoder(
            network.input_dim, network.latent_dim, network.hidden_dims, fit.recipe.dropout,
            fit.recipe.activation, fit.recipe.norm, network.variational, network.linear_path,
        ).double().eval()  # fmt: skip
        model.load_state_dict({name: torch.from_numpy(value) for name, value in outcome.state.items()})
        for rows, loss in ((split.train, outcome.final_train_loss), (split.test, outcome.final_test_loss)):
            values = torch.from_numpy(split.values[rows]).double()
            assert float(sparse_aware_loss(model(values)[0], values)) == pytest.approx(loss, rel=1e-5)

    def test_a_fit_is_repeated_bit_for_bit_whatever_is_trained_before_and_beside_it(self, engine, split):
        expected = [bits(engine.fit(split, fit)) for fit in KINDS.values()]
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda fit: bits(engine.fit(split, fit)), [*KINDS.values()][::-1]))
        assert found[::-1] == expected

    def test_a_fit_depends_on_its_seed(self, engine, split):
        assert engine.fit(split, FIT).test_losses != engine.fit(split, replace(FIT, seed=1)).test_losses

    def test_patience_keeps_the_best_epoch_and_ends_the_fit(self, engine, split):
        outcome = engine.fit(split, PATIENT)
        assert outcome.final_test_loss == min(outcome.test_losses)
        assert len(outcome.test_losses) == outcome.kept_epoch + 1 + PATIENT.recipe.patience
        assert len(outcome.test_losses) < PATIENT.recipe.epochs, "this fit shows nothing"

    def test_a_fit_that_is_cut_short_is_the_beginning_of_the_whole_one(self, engine, split):
        cut = engine.fit(split, replace(FIT, recipe=replace(FIT.recipe, stop_after=2)))
        assert cut.test_losses == engine.fit(split, FIT).test_losses[:2]

    def test_a_fit_that_diverges_is_an_outcome(self, engine, split):
        assert "stopped being finite in epoch" in engine.fit(split, DIVERGING).failure

    def test_neither_the_data_nor_anybodys_random_numbers_change(self, engine, split):
        def states():
            return [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()]  # noqa: NPY002

        values, before = split.values.copy(), states()
        engine.fit(split, FIT)
        np.testing.assert_array_equal(split.values, values)
        assert states() == before

    def test_a_watcher_sees_every_epoch_and_what_it_raises_ends_the_fit(self, engine, split):
        seen = []
        outcome = engine.fit(split, FIT, watch=lambda *epoch: seen.append(epoch))
        assert seen == list(enumerate(outcome.test_losses))

        def refuse(epoch, loss):
            raise LookupError(epoch)

        with pytest.raises(LookupError, match="0"):
            engine.fit(split, FIT, watch=refuse)

    def test_a_flag_stops_it_before_and_while_it_trains(self, engine, split):
        stop, seen = StopFlag(), []
        endless = replace(FIT, recipe=replace(FIT.recipe, epochs=10**6))

        def watch(epoch, loss):
            seen.append(epoch)
            stop.set()

        for _ in range(2):
            with pytest.raises(Stopped):
                engine.fit(split, endless, stop, watch=watch)
        assert seen == [0]

    def test_a_warm_start_begins_from_what_it_is_given_and_leaves_that_alone(self, engine, split):
        cold = engine.fit(split, FIT)
        warm = replace(FIT, recipe=replace(FIT.recipe, warm_start=True, initial_lr=1e-12, eta_min=0.0))
        before = copy.deepcopy(cold.state)
        outcome = engine.fit(split, warm, initial=cold.state)
        assert outcome.test_losses == pytest.approx([cold.final_test_loss] * 4, rel=1e-5)
        assert all(np.array_equal(cold.state[name], value) for name, value in before.items())

    @pytest.mark.parametrize("is_warm", [True, False])
    def test_parameters_to_begin_from_are_given_exactly_to_a_warm_start(self, engine, split, is_warm):
        initial = None if is_warm else engine.fit(split, FIT).state
        with pytest.raises(ValueError, match="initial must be"):
            engine.fit(split, replace(FIT, recipe=replace(FIT.recipe, warm_start=is_warm)), initial=initial)

    @pytest.mark.parametrize("shape", [(3, 1), (2, 6), (9, 6)], ids=str)
    def test_the_smallest_tables_are_trained(self, engine, make_split, shape):
        outcome = engine.fit(make_split(*shape, missing=0.0, zeros=0.2), FIT)
        assert (outcome.failure, len(outcome.test_losses)) == (None, 4)

    def test_missing_cells_are_no_numbers(self, engine, split):
        """A column that nobody observed changes no loss, whatever stands for its cells."""
        holes = replace(split, values=split.values.copy())
        holes.values[:, 0] = nan
        outcome = engine.fit(holes, FIT)
        assert np.isfinite(outcome.test_losses).all()
        assert all(np.isfinite(value).all() for value in outcome.state.values())
