"""Adaptive search: its space, its samplers, and the loop that asks them."""
