"""Portable bundles: a bundle's networks as files that other programs and runtimes load."""

#: Formats, each a module ``<name>_files.py`` here; see ``format.py``.
FORMATS = ("onnx", "openvino", "torchscript")
