"""Conversion of a simulator dump to a dataset.

The order of a run (``convert``):

1. ``resolve_job``: bundle, dump, label spaces and columns become ``settings``; ``source_index`` lists every frame with
   its files' identities, ``sharding`` cuts the list.
2. ``label_census``: class ids of every label, checked against the label space.
3. ``plan``: committed shards whose fingerprint is unchanged are kept, the others converted.
4. ``engines``: each shard goes to ``shard`` in this process or on Ray.
5. ``shard``: ``decode`` (with ``resize``), ``paint`` (look, translation, ``gate``), encoding, shard file, commit.
6. ``dataset_card``: label spaces, card and manifest; ``summary`` for the caller.

``verify`` checks a finished dataset.
"""
