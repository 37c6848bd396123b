"""Plain torch modules: edge extractor, DNED, generators, discriminator, perceptual network."""
