"""Tracking servers: each fit as a run of MLflow, TensorBoard or Weights & Biases."""
