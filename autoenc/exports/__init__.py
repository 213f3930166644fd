"""Models for other programs: ONNX, torch.export, safetensors, and a card that describes them."""
