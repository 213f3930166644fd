"""The grid of architectures, the network and its loss."""
