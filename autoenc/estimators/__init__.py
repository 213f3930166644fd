"""Estimators for scikit-learn: one autoencoder, and the search for its hidden layers."""
