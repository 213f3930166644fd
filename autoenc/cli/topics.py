"""The commands by what people want to do, and examples of each."""

from __future__ import annotations

__all__ = ["COMPLETION", "EXAMPLES", "SHOW", "TOPICS"]

SHOW = "config show"
"""The verb that shows the options of the command behind it."""
COMPLETION = "completion"
"""The verb that prints what lets a shell complete commands and options."""

TOPICS = {
    "find an autoencoder for a table": ("fit", "search", "tune", "transfer", "phases", "refine"),
    "use a model": ("train-best", "encode", "impute", "predict", "export"),
    "look at what was found": ("report", "analyze", "compare", "pivot", "runs", "runs diff"),
    "use many machines, and mend records": ("slurm", "merge", "repair"),
    "set up": (SHOW, COMPLETION),
}
"""Verbs by title, in the order of the help."""

_MODEL = "output/best_model_latent3.pth"
EXAMPLES = {
    "fit": (
        "autoenc fit table.csv --latent_dim 3 --budget 60",
        "autoenc fit table.xlsx --latent_dim auto --exclude id --output_dir results",
    ),
    "search": (
        "autoenc search --data_path table.csv --latent_dim 3 --save_models",
        "autoenc search --data_path table.csv --latent_dim 2,3,4 --folds 5 --seeds 2 --select one_se",
    ),
    "tune": (
        "autoenc tune --data_path table.csv --n_trials 50 --latent_dim 3 --plot",
        "autoenc tune --strategy resilient --families ae,dae,vae --learning_rate_range 1e-3,1e-2",
    ),
    "transfer": (
        "autoenc transfer --data_path table.csv --regression_target score --n_trials 50",
        "autoenc transfer --data_path all.csv --labelled_path few.csv --classification_target kind",
    ),
    "phases": (
        "autoenc phases configs/copus.yaml",
        "autoenc phases configs/copus.yaml --phases coarse,fine",
    ),
    "refine": (
        "autoenc refine --from output/coarse --to fine.yaml",
        "autoenc refine --from output/coarse --to fine.yaml --top 5 --margin 0.2 --force",
    ),
    "train-best": (
        "autoenc train-best --from output --epochs 200",
        "autoenc train-best --from output --trial 7 --output_dir chosen",
    ),
    "encode": (
        f"autoenc encode --model {_MODEL} --data_path table.csv --output latents.csv",
        f"autoenc encode --model {_MODEL} --data_path new.csv.gz --keep id,site --error --output l.parquet",
    ),
    "impute": (
        f"autoenc impute --model {_MODEL} --data_path table.csv --output filled.csv",
        f"autoenc impute --model {_MODEL} --data_path table.parquet --na_values -999 --output filled.parquet",
    ),
    "predict": (
        "autoenc predict --model best_model.pth --data_path new.csv --output predictions.csv",
        "autoenc predict --model best_model.pth --data_path new.csv --keep id --output -",
    ),
    "export": (
        f"autoenc export --model {_MODEL} --output model.onnx",
        f"autoenc export --model {_MODEL} --card card.md --data_path table.csv",
    ),
    "report": (
        "autoenc report output",
        "autoenc report output --data_path moved.csv --output result.html",
    ),
    "analyze": (
        "autoenc analyze output",
        "autoenc analyze output --storage sqlite:///study.db",
    ),
    "compare": (
        "autoenc compare output",
        "autoenc compare latent2 latent3 --output comparison.png",
    ),
    "pivot": (
        "autoenc pivot output --rows num_layers --columns learning_rate",
        'autoenc pivot output --rows dropout --columns batch_size --score "0.8*loss+0.2*time"',
    ),
    "runs": (
        "autoenc runs output --sort best_loss",
        'autoenc runs output other --where "epochs=20" --where "best_loss<0.02"',
    ),
    "runs diff": (
        "autoenc runs diff 20261121T0932 20261121T0934 --output_dir output",
        "autoenc runs diff one/runs/20261121T0932.json other/runs/20261121T0934.json",
    ),
    "slurm": (
        "autoenc slurm --array 36 --parallel 4 --time 12:00:00 --output_dir output",
        'autoenc slurm --array 8 --time 2:00:00 --sbatch="--account=x" --output_dir output',
    ),
    "merge": (
        "autoenc merge part0 part1 --output_dir output",
        "autoenc merge part0 part1 part2 part3 --output_dir output",
    ),
    "repair": ("autoenc repair output", "autoenc repair output/study.journal"),
    SHOW: (
        "autoenc config show search --config configs/copus.yaml --epochs 30",
        "autoenc config show tune --search_config fine.yaml",
    ),
    COMPLETION: ("autoenc completion bash > ~/.autoenc-completion", "autoenc completion zsh"),
}
"""Two commands for the help of each verb."""
