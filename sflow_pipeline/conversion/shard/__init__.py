"""Conversion of one shard: cut, decode, paint, encode, publish."""
