"""Transfer-aware search: the autoencoder is chosen by what its encoder is worth to a second stage."""
