"""Training of the S-Flow GAN on labelled real photos.

The order of a run: ``train`` checks it, ``data`` packs the photos and cuts crops, ``run`` repeats ``step`` on them and
writes checkpoints, ``segmenter`` trains the bundle's segmenter, and the bundle is exported. ``process_group`` is what
several processes need to share a batch.
"""
