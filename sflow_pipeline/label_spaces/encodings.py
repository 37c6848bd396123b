"""Names of the encodings of label and instance files."""

from collections.abc import Mapping
from typing import Literal, get_args

#: Label encodings that hold for every dump; see ``LABEL_ENCODINGS``.
StatedLabelEncoding = Literal["ids", "red_channel", "rgb_ids", "palette"]
#: All label encodings. ``table``: each frame's ``label_table`` states the meaning of its samples; some layouts have it.
LabelEncoding = Literal["ids", "red_channel", "rgb_ids", "palette", "table"]
#: What the values of an instance file mean; see ``INSTANCE_ENCODINGS``.
InstanceEncoding = Literal["class_times_1000", "class_times_256", "class_in_red", "numbered", "numbered_road_users"]

#: Every label encoding that can be stated, and how samples become ids of the label space.
LABEL_ENCODINGS: Mapping[StatedLabelEncoding, str] = {
    "ids": "samples are class ids: grey or indexed, 8 or 16 bits, or three equal channels",
    "red_channel": "class ids are in the red channel, 8 or 16 bits",
    "rgb_ids": "class ids are R + 256 * G + 65536 * B, 8 bits each",
    "palette": "colours stand for classes, as the label space states them",
}
#: Every instance encoding, and what it says about a pixel's value.
INSTANCE_ENCODINGS: Mapping[InstanceEncoding, str] = {
    "class_times_1000": "class id * 1000 + number; values below 1000 belong to no object (Cityscapes)",
    "class_times_256": "class id * 256 + number; number 0 belongs to no object (KITTI)",
    "class_in_red": "RGB: class id in red, number in green and blue; number 0 belongs to no object (CARLA, VIPER)",
    "numbered": "a number or colour per object of any class; 0 or black belongs to no object",
    "numbered_road_users": "as numbered, for people and vehicles alone (Virtual KITTI 2)",
}
assert tuple(LABEL_ENCODINGS) == get_args(StatedLabelEncoding)
assert tuple(INSTANCE_ENCODINGS) == get_args(InstanceEncoding)
