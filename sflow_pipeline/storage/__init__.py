"""Bytes on disk and in object stores: images, shards, manifests and the files that hold them."""
