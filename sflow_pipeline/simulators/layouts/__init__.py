"""Dump layouts, one module each (see ``adapter.py``); a new layout is a new module and one entry in ``LAYOUTS``."""

from sflow_pipeline.simulators.adapter import Adapter
from sflow_pipeline.simulators.layouts import (
    ade20k,
    airsim,
    blenderproc,
    blenderproc_coco,
    camvid,
    camvid32,
    carla,
    cityscapes,
    folder,
    gta,
    hypersim,
    kitti,
    mapillary,
    pattern,
    replicator,
    shift,
    sintel,
    synthia,
    unity_solo,
    video,
    viper,
    vkitti2,
)

#: Layouts that simulators and renderers write.
_SIMULATOR_LAYOUTS: tuple[Adapter, ...] = (
    *(folder, carla, shift, synthia, gta, viper, vkitti2, airsim),
    *(replicator, unity_solo, blenderproc, blenderproc_coco, hypersim, sintel, video, pattern),
)
#: Layouts of labelled real photos.
_PHOTO_LAYOUTS: tuple[Adapter, ...] = (camvid, camvid32, cityscapes, kitti, mapillary, ade20k)

LAYOUTS: tuple[Adapter, ...] = (*_SIMULATOR_LAYOUTS, *_PHOTO_LAYOUTS)
