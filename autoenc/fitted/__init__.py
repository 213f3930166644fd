"""Trained models: what they compute, and their files."""
