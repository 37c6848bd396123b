"""Label space derived from a dump's class names; concepts are guessed from the names."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from sflow_pipeline.label_spaces.catalog import load_label_space
from sflow_pipeline.label_spaces.label_space import Color, LabelClass, LabelSpace

#: Concept of a class whose name is not recognised; no label space of a model has it, so it is reported as lost.
UNKNOWN_CONCEPT = "unknown"
_VOCABULARY = Path(__file__).parent / "vocabulary.yaml"
#: Label spaces whose class names are also looked up; the first that has a name decides.
_NAME_SOURCES = ("cityscapes34", "mapillary", "carla-0.9.14", "camvid32", "ade20k")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_COPY_NUMBER = re.compile(r"(?<=.)\.\d{3,}$")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
#: Words before the last one of a name that make it something else.
_OTHER = re.compile(r"(?:^|_)(?:non|not|no|off|toy|rail)$")


def derive_label_space(
    name: str, classes: Iterable[str] | Mapping[int, str], colors: Mapping[str, Color] | None = None
) -> LabelSpace:
    """A label space with one class per name; ids follow the names' order, so the same names give the same space.

    Args:
        name: of the space.
        classes: names as the dump writes them, or id -> name where label files hold ids; ``a,b`` is one class with
            two words for it.
        colors: class name -> RGB; invented from the name where missing.

    >>> space = derive_label_space("replicator", ["BACKGROUND", "cone,obstacle", "person"])
    >>> [(c.id, c.name, c.concepts[0]) for c in space.classes]
    [(0, 'BACKGROUND', 'void'), (1, 'cone,obstacle', 'object.traffic_cone'), (2, 'person', 'human.person')]
    """
    given = colors or {}
    numbered = classes if isinstance(classes, Mapping) else dict(enumerate(sorted(set(classes))))
    found = []
    void_id = None
    for class_id, class_name in sorted(numbered.items()):
        concept = guess_concept(class_name)
        if concept == "void" and void_id is None:
            void_id = class_id
        color = given.get(class_name) or _invent_color(class_name)
        found.append(LabelClass(class_id, class_name, (concept,), color))
    return LabelSpace(name, 1, tuple(found), void_id, source="class names of the dump")


def guess_concept(class_name: str) -> str:
    """The concept that a class name most likely means; of a list of names, the first recognised one decides.

    Of several words the last one decides, unless those before it say that it is something else.

    >>> guess_concept("TrafficLight"), guess_concept("box,cargo"), guess_concept("Car.001"), guess_concept("WING_LEFT")
    ('object.traffic_light', 'object.box', 'vehicle.car', 'unknown.wing_left')
    >>> guess_concept("wet_road"), guess_concept("off_road")
    ('flat.road', 'unknown.off_road')
    """
    known = _known_words()
    words = [normalise(word) for word in class_name.split(",")]
    for word in words:
        bare = word.rstrip("0123456789_") or word  # copies of an object are numbered
        first, _, last = bare.rpartition("_")
        for form in (word, bare, bare.removesuffix("s"), *([] if _OTHER.search(first) else [last])):
            if form in known:
                return known[form]
    return f"{UNKNOWN_CONCEPT}.{words[0]}"


def join_names(names: Iterable[str], most: int | None = None) -> str:
    """The first names of one class, by comma; the numbers that 3-D tools give to copies are dropped.

    >>> join_names(["Apple", "Apple.001", "fruit"])
    'Apple,fruit'
    """
    return ",".join(list(dict.fromkeys(_COPY_NUMBER.sub("", name.strip()) for name in names))[:most])


def normalise(word: str) -> str:
    """A class name in small letters with single underscores.

    >>> normalise("Traffic Light--General"), normalise("TrafficLight")
    ('traffic_light_general', 'traffic_light')
    """
    return _SEPARATORS.sub("_", _CAMEL.sub("_", word.strip()).lower()).strip("_")


@cache
def _known_words() -> dict[str, str]:
    known = {}
    content = yaml.safe_load(_VOCABULARY.read_text(encoding="utf-8"))
    for concept, words in content.items():
        known.update({normalise(word): concept for word in words})
    for name in _NAME_SOURCES:
        for label_class in load_label_space(name).classes:
            known.setdefault(normalise(label_class.name), label_class.concepts[0])
    return known


def _invent_color(class_name: str) -> Color:
    digest = hashlib.sha256(class_name.encode("utf-8", "backslashreplace")).digest()
    return digest[0], digest[1], digest[2]
