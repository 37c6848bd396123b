"""The classes the street renderer paints, as ids of label space ``cityscapes19`` (train ids)."""

ROAD = 0
SIDEWALK = 1
BUILDING = 2
WALL = 3
FENCE = 4
POLE = 5
TRAFFIC_LIGHT = 6
TRAFFIC_SIGN = 7
VEGETATION = 8
TERRAIN = 9
SKY = 10
PERSON = 11
RIDER = 12
CAR = 13
TRUCK = 14
BUS = 15
BICYCLE = 18

#: Countable classes: their instance ids are class_id * 1000 + n, every other class has its plain id (Cityscapes).
THINGS = frozenset({PERSON, RIDER, CAR, TRUCK, BUS, BICYCLE})
INSTANCES_PER_CLASS = 1000

NAMES = {
    ROAD: "road",
    SIDEWALK: "sidewalk",
    BUILDING: "building",
    WALL: "wall",
    FENCE: "fence",
    POLE: "pole",
    TRAFFIC_LIGHT: "traffic light",
    TRAFFIC_SIGN: "traffic sign",
    VEGETATION: "vegetation",
    TERRAIN: "terrain",
    SKY: "sky",
    PERSON: "person",
    RIDER: "rider",
    CAR: "car",
    TRUCK: "truck",
    BUS: "bus",
    BICYCLE: "bicycle",
}
