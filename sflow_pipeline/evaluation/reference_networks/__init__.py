"""Networks that users bring: how they are described, recognised, loaded and fed."""
