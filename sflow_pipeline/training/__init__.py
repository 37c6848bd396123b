"""Training of the S-Flow GAN on real photos with labels."""
