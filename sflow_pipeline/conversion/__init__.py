"""Conversion of a simulator dump to a dataset.

The order of a run (``convert``), and the folder of each step:

1. ``job``: bundle, dump, label spaces and columns become ``settings``; ``source`` lists every frame with its files'
   identities, ``shard/sharding`` cuts the list; ``dump_checks`` look for files that contradict each other.
2. ``labels``: class ids of every label, counted and checked against the label space.
3. ``plan``: committed shards whose fingerprint is unchanged are kept, the others converted.
4. ``engines``: each shard goes to ``shard`` in this process or on Ray; ``status`` tells how far it is.
5. ``shard``: ``frame`` decodes, ``painting`` draws looks and translates, ``motion`` blends along a sequence, ``gate``
   judges; then encoding, shard file, commit.
6. ``dataset_card``: label spaces, card and manifest; ``summary`` for the caller.

``verify`` checks a finished dataset.
"""
