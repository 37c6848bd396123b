"""Facts about a dump that its user states: in ``dataset.yaml`` beside the frames, or in the job that reads it."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sflow_pipeline.errors import ConfigError
from sflow_pipeline.label_spaces import INSTANCE_ENCODINGS, LABEL_ENCODINGS, InstanceEncoding, StatedLabelEncoding
from sflow_pipeline.simulators.dump_files import is_remote, open_folder
from sflow_pipeline.simulators.folder_walk import broken_name_rule
from sflow_pipeline.untrusted.plain_yaml import TextKeyLoader, parse_plain_yaml

FILE_NAME = "dataset.yaml"
_KEYS = ("layout", "label_space", "label_encoding", "instance_encoding", "fps", "camera", "units", "split")


@dataclass(frozen=True)
class StatedFacts:
    """Stated facts of a dump; all are optional, and adapters detect the rest.

    Attributes:
        layout: column -> pattern of its files' paths, see ``layouts.pattern.compile_layout``.
        label_space: name or YAML file of the label space that class ids follow.
        label_encoding: how label files hold ids.
        instance_encoding: what the values of instance files mean.
        fps: frames per second.
        split: one split for all frames, or sequence id -> split; sequences not named follow their folder names.
        metadata: ``camera`` and ``units`` as they stand.
    """

    layout: Mapping[str, str] | None = None
    label_space: str | None = None
    label_encoding: StatedLabelEncoding | None = None
    instance_encoding: InstanceEncoding | None = None
    fps: float | None = None
    split: str | Mapping[str, str] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def split_of(self, sequence_id: str, otherwise: str) -> str:
        """The split of a sequence; ``otherwise`` where nothing is stated."""
        if isinstance(self.split, str):
            return self.split
        return (self.split or {}).get(sequence_id, otherwise)

    def override(
        self,
        *,
        layout: Mapping[str, str] | None = None,
        label_space: str | None = None,
        label_encoding: StatedLabelEncoding | None = None,
        instance_encoding: InstanceEncoding | None = None,
    ) -> "StatedFacts":
        """The same facts, with those of a job where it states them."""
        return replace(
            self,
            layout=layout or self.layout,
            label_space=label_space or self.label_space,
            label_encoding=label_encoding or self.label_encoding,
            instance_encoding=instance_encoding or self.instance_encoding,
        )


def read_stated_facts(root: str) -> StatedFacts:
    """Read ``<root>/dataset.yaml``; a missing file states nothing, and so does one without a key of ours.

    Raises:
        ConfigError: invalid YAML, an unknown key, a value of the wrong type, or a path that leaves the dump.
    """
    path = f"{root.rstrip('/')}/{FILE_NAME}"
    try:
        content = parse_plain_yaml(open_folder(root).read_bytes(FILE_NAME).decode("utf-8"), TextKeyLoader)
    except (FileNotFoundError, NotADirectoryError):
        return StatedFacts()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint="write it as YAML in UTF-8") from error
    if isinstance(content, dict) and content and not any(_is_ours(key) for key in content):
        return StatedFacts()  # other tools use the name, too
    return _parse(content or {}, root, path)


def _is_ours(key: Any) -> bool:
    return bool(difflib.get_close_matches(str(key), _KEYS, n=1))


def _parse(content: Any, root: str, path: str) -> StatedFacts:
    def expect(condition: bool, rule: str, hint: str = "") -> None:
        if not condition:
            raise ConfigError(f"{path}: {rule}", hint=hint or f"keys: {', '.join(_KEYS)}")

    expect(isinstance(content, dict), "must be a mapping of keys to values")
    for key in content:
        expect(isinstance(key, str), f"unknown key {key!r}")
        near = difflib.get_close_matches(str(key), _KEYS, n=1)
        expect(key in _KEYS, f"unknown key {key!r}", f"did you mean {near[0]}?" if near else "")
    label_space = content.get("label_space")
    expect(label_space is None or isinstance(label_space, str), f"label_space {label_space!r} must be a name")
    if label_space is not None and label_space.endswith((".yaml", ".yml")):
        expect(not is_remote(root), f"label_space {label_space!r}: files in object stores are not read", "use a name")
        real_root = os.path.realpath(root)
        real = os.path.realpath(os.path.join(real_root, label_space))
        inside = not os.path.isabs(label_space) and os.path.commonpath([real, real_root]) == real_root
        expect(inside, f"label_space {label_space!r} leaves the dump", "put the file beside dataset.yaml")
        label_space = real
    for key, values in (("label_encoding", tuple(LABEL_ENCODINGS)), ("instance_encoding", tuple(INSTANCE_ENCODINGS))):
        value = content.get(key)
        expect(value is None or value in values, f"{key} {value!r} must be one of {', '.join(values)}")
    fps = content.get("fps")
    is_number = isinstance(fps, int | float) and not isinstance(fps, bool)
    expect(fps is None or (is_number and 0 < fps < 1e6), f"fps {fps!r} must be a number above 0")
    split = content.get("split")
    names = list(split.values()) if isinstance(split, dict) else [] if split is None else [split]
    expect(
        all(isinstance(name, str) and is_plain_name(name) for name in names),
        f"split {split!r} must be a plain name, or sequence ids with one each",
    )
    stated = {key: content[key] for key in ("camera", "units") if key in content}
    try:  # through JSON, whose keys are text; YAML knows numbers without an end, JSON does not
        metadata: dict[str, Any] = json.loads(json.dumps(stated, allow_nan=False))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: camera and units: {error}", hint="write plain numbers and text") from error
    layout = content.get("layout")
    is_layout = isinstance(layout, dict) and all(isinstance(text, str) for pair in layout.items() for text in pair)
    expect(layout is None or is_layout, f"layout {layout!r} must map columns to path patterns")
    return StatedFacts(
        layout,
        label_space,
        content.get("label_encoding"),
        content.get("instance_encoding"),
        None if fps is None else float(fps),
        split,
        metadata,
    )


def is_plain_name(name: str) -> bool:
    """Whether a name can be a folder in the output: no separators, not hidden, printable.

    >>> is_plain_name("val"), is_plain_name("../val")
    (True, False)
    """
    return bool(name) and "/" not in name and not name.startswith(".") and not broken_name_rule(name)
