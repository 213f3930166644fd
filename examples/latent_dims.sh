#!/usr/bin/env bash
# Search several latent sizes of a table, compare them, and write a page with all that was found.
#
#   examples/latent_dims.sh [TABLE [SIZES [FOLDER]]]
#   examples/latent_dims.sh data/stains.csv 2,3,4,8 output/latent_dims
set -euo pipefail
table=${1:-data/stains.csv}
sizes=${2:-2,3,4}
folder=${3:-output/latent_dims}

autoenc search --data_path "$table" --latent_dim "$sizes" --output_dir "$folder" --save_models
autoenc compare "$folder"    # where do more latent units stop paying?
autoenc report "$folder"
