"""Label spaces that people write themselves: read strictly, with a way out for each mistake."""

import copy
from pathlib import Path

import pytest

from sflow_pipeline.errors import LabelSpaceError
from sflow_pipeline.label_spaces import build_mapping, load_label_space

GOOD = """
name: warehouse
version: 3
void: 0
also_void_ids: [255]
classes:
  - {id: 0, name: nothing, concepts: [void], color: [0, 0, 0]}
  - {id: 700, name: floor, concepts: [flat.sidewalk.tiles], color: [9, 9, 9]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own_works_like_a_shipped_one(tmp_path: Path) -> None:
    space = load_label_space(write(tmp_path, GOOD))
    assert (space.name, space.version, space.names, space.ids()) == (
        "warehouse",
        3,
        ("nothing", "floor"),
        frozenset({0, 255, 700}),
    )
    assert (space.channel_of(255), space.channel_of(700)) == (0, 1)
    assert build_mapping(space, load_label_space("camvid11")).table[[0, 255, 700]].tolist() == [11, 11, 4]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("version: 3", "version: three", "version must be a whole number"),
        ("void: 0", "void: 4", "void 4 must be the id of a class"),
        ("id: 700", "id: 70000", "id must be a number from 0 to 65534"),
        ("id: 700", "id: 0", "id 0 occurs more than once"),
        ("id: 700", "id: 255", "id 255 occurs more than once"),
        ("name: floor", "name: nothing", "name nothing occurs more than once"),
        ("name: floor", "name: no", "name must be text"),
        ("flat.sidewalk.tiles", "void", "concept void occurs more than once"),
        ("concepts: [void]", "concepts: void", "concepts must be a list"),
        ("[9, 9, 9]", "[9, 9, 256]", "three numbers from 0 to 255"),
        ("version: 3", "version: 3\nvoids: 0", "keys"),
        ("color: [9", "colour: [1, 1, 1], color: [9", "keys must be among"),
        (GOOD, "- just a list", "must be a mapping"),
        (GOOD, "a: [", "cannot be read"),
    ],
)
def test_a_mistake_names_file_and_rule(tmp_path: Path, old: str, new: str, rule: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(LabelSpaceError) as caught:
        load_label_space(path)
    assert str(path) in caught.value.message
    assert rule in caught.value.message


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    path = write(tmp_path, f"!!python/object/apply:pathlib.Path.touch ['{tmp_path}/touched']")
    with pytest.raises(LabelSpaceError):
        load_label_space(path)
    assert not (tmp_path / "touched").exists()


def test_the_digest_follows_meaning_and_not_notes(tmp_path: Path) -> None:
    digest = load_label_space(write(tmp_path, GOOD)).digest
    assert load_label_space(write(tmp_path, "source: somewhere\n" + GOOD)).digest == digest
    assert load_label_space(write(tmp_path, GOOD.replace("id: 700", "id: 701"))).digest != digest
    assert load_label_space(write(tmp_path, GOOD.replace("sidewalk", "road"))).digest != digest
    assert len(digest) == 64


def test_mappings_travel_between_processes() -> None:
    mapping = build_mapping(load_label_space("carla-0.9.14"), load_label_space("camvid11"))
    assert mapping.source.digest  # cached values must not get in the way
    rebuilt = copy.deepcopy(mapping)  # by the same protocol that carries objects to workers
    assert rebuilt == mapping
    assert (rebuilt.table == mapping.table).all()
