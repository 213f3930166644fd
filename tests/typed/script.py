"""A script as users write them; mypy --strict reads it, nothing runs it."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd

import autoenc

table = np.zeros((60, 5))
results = autoenc.search(
    table, latent_dim=2, hidden_dims_search=(4, 8), epochs=2, folds=3, quiet=True, output_dir=Path("out")
)
assert_type(results, autoenc.SearchResults)
assert_type([result.trial.name for result in results.ranked], list[str])
assert_type(results.leaderboard, pd.DataFrame)
assert_type(results.baselines, dict[str, float])
results.plot.sizes().set_title("sizes")
model = results.best_model()
assert_type(model, autoenc.FittedAutoencoder)
assert_type(model.info, dict[str, Any])
latents = model.encode(table)
model.save("model.pth")

tuned = autoenc.tune(table, n_trials=2, strategy="random")
assert_type(tuned, autoenc.TuneResults)
assert_type(tuned.best_params, dict[str, Any])
carried = autoenc.transfer("rows.csv", regression_target="y")
assert_type(carried, autoenc.TransferResults)
predictions = carried.best_model().predict(table)

loaded = autoenc.load_results("out")
assert_type(loaded, autoenc.SearchResults | autoenc.TuneResults | autoenc.TransferResults)
if isinstance(loaded, autoenc.SearchResults):
    assert_type(loaded.selection.chosen.loss, float)
try:
    autoenc.search("no.csv")
except autoenc.InputError as error:
    assert_type(error.problems, list[str])
except autoenc.Interrupted as stopped:
    print(stopped.results)

grid = autoenc.ArchitectureGrid((4, 8), 2)
assert_type(list(grid), list[tuple[int, ...]])
fitted = autoenc.load_model("model.pth")
assert_type(fitted, autoenc.FittedAutoencoder | autoenc.FittedEnsemble)
assert_type(autoenc.__version__, str)
