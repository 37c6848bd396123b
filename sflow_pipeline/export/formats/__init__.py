"""Export formats, one module each (see ``Exporter``); a new one is a new module and its name in ``FORMATS``."""

#: Names of the modules here, as ``--to`` takes them, with ``-`` for ``_``. Names alone, so that
#: ``--help`` loads none of the modules.
FORMATS = ("cityscapes", "png", "webdataset", "coco", "yolo", "yolo-seg", "kitti", "fiftyone", "mp4")
