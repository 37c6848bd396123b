"""Labels whose pixels mean something else in every frame, and label spaces made from a dump's own names."""

import numpy as np
import pytest

from sflow_pipeline.label_spaces import (
    UNKNOWN_COLOR_ID,
    LabelTable,
    build_mapping,
    derive_label_space,
    from_table,
    load_label_space,
)
from sflow_pipeline.label_spaces.derived_space import guess_concept


def test_alpha_tells_colours_apart() -> None:
    space = derive_label_space("dump", ["BACKGROUND", "UNLABELLED", "car"])
    table = LabelTable(colors={(0, 0, 0, 0): "BACKGROUND", (0, 0, 0, 255): "UNLABELLED", (140, 25, 255, 255): "car"})
    label = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [140, 25, 255, 255], [1, 2, 3, 255]]], np.uint8)
    reading = from_table(label, table, space)
    assert [space.names[i] for i in reading.label_map[0, :3]] == ["BACKGROUND", "UNLABELLED", "car"]
    assert reading.label_map[0, 3] == UNKNOWN_COLOR_ID
    assert reading.unknown_colors == {(1, 2, 3): 1}


def test_without_alpha_colours_are_opaque() -> None:
    table = LabelTable(colors={(0, 0, 0, 0): "BACKGROUND", (0, 0, 0, 255): "car"})
    reading = from_table(np.zeros((2, 2, 3), np.uint8), table, derive_label_space("dump", table.names))
    assert (reading.label_map == 1).all()


def test_the_same_colour_may_mean_another_class_in_the_next_frame() -> None:
    space = derive_label_space("dump", ["car", "road"])
    label = np.full((1, 1, 4), 255, np.uint8)
    ids = [from_table(label, LabelTable(colors={(255,) * 4: name}), space).label_map.item() for name in ("car", "road")]
    assert ids == [0, 1]


def test_numbers_and_what_is_in_no_table() -> None:
    space = derive_label_space("dump", ["rest", "wing"])
    label = np.array([[7, 1514]], np.uint16)
    assert from_table(label, LabelTable(ids={1514: "wing"}, other="rest"), space).label_map.tolist() == [[0, 1]]
    assert from_table(label, LabelTable(ids={1514: "wing"}), space).label_map[0, 0] == UNKNOWN_COLOR_ID
    assert from_table(label, LabelTable(other="rest"), space).label_map.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("BACKGROUND", "void"),
        ("UNLABELLED", "void"),
        ("cone,obstacle", "object.traffic_cone"),
        ("unheard_of,car", "vehicle.car"),
        ("Traffic Light", "object.traffic_light"),
        ("TrafficLight", "object.traffic_light"),
        ("Cars", "vehicle.car"),
        ("big_truck", "vehicle.truck"),
        ("Lane Marking - General", "flat.road.line"),
        ("xyzzy", "unknown.xyzzy"),
        ("", "unknown."),
    ],
)
def test_class_names_are_understood(name: str, concept: str) -> None:
    assert guess_concept(name) == concept


def test_names_of_every_shipped_street_space_are_understood() -> None:
    for name in ("cityscapes34", "carla-0.9.14", "gta", "synthia22", "vkitti2", "viper"):
        space = load_label_space(name)
        derived = derive_label_space("dump", space.names)
        target = load_label_space("camvid11")
        expected = {row.source_name: row.target_name for row in build_mapping(space, target).rows}
        found = {row.source_name: row.target_name for row in build_mapping(derived, target).rows}
        assert {n: t for n, t in expected.items() if t not in ("void", found[n])} == {}, name


def test_a_derived_space_does_not_depend_on_order_and_keeps_colours() -> None:
    one = derive_label_space("dump", ["b", "a"], {"a": (1, 2, 3)})
    assert one.digest == derive_label_space("dump", ["a", "b", "a"], {"a": (1, 2, 3)}).digest
    assert one.classes[0].color == (1, 2, 3)
    assert one.void_id is None
