"""One training step: its inputs, losses, augmentation, and the networks and optimisers that it updates."""
