"""Published networks as feature extractors: perceptual distances, discriminators, metrics."""
