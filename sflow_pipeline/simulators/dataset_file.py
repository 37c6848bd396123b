"""Reads ``dataset.yaml``: what a dump in the plain layout says about itself."""

import difflib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import yaml

from sflow_pipeline.errors import ConfigError
from sflow_pipeline.simulators.dump import LABEL_ENCODINGS, LabelEncoding
from sflow_pipeline.simulators.dump_files import is_remote, read_bytes
from sflow_pipeline.simulators.folder_walk import broken_name_rule

FILE_NAME = "dataset.yaml"
_KEYS = ("label_space", "label_encoding", "fps", "camera", "units", "split")


@dataclass(frozen=True)
class DatasetFile:
    """The content of ``dataset.yaml``; everything is optional.

    Attributes:
        label_space: a name, or the path of a YAML file inside the dump (resolved).
        label_encoding: how label files hold ids.
        fps: frames per second.
        split: one split for all frames, or sequence id -> split; sequences not named follow their folder names.
        metadata: ``camera`` and ``units`` as they stand.
    """

    label_space: str | None = None
    label_encoding: LabelEncoding = "ids"
    fps: float | None = None
    split: str | dict[str, str] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def read_dataset_file(root: str) -> DatasetFile:
    """Read ``<root>/dataset.yaml``; a missing file is an empty one.

    Raises:
        ConfigError: not YAML, an unknown key, a value of the wrong type, or a path that leaves the dump.
    """
    path = f"{root.rstrip('/')}/{FILE_NAME}"
    try:
        content = yaml.safe_load(read_bytes(root, FILE_NAME).decode("utf-8"))
    except FileNotFoundError:
        return DatasetFile()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint="write it as YAML in UTF-8") from error
    return _parse(content or {}, root, path)


def _parse(content: Any, root: str, path: str) -> DatasetFile:
    def expect(condition: bool, rule: str, hint: str = "") -> None:
        if not condition:
            raise ConfigError(f"{path}: {rule}", hint=hint or f"keys: {', '.join(_KEYS)}")

    expect(isinstance(content, dict), "must be a mapping of keys to values")
    for key in content:
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
    encoding = content.get("label_encoding", "ids")
    expect(encoding in LABEL_ENCODINGS, f"label_encoding {encoding!r} must be one of {', '.join(LABEL_ENCODINGS)}")
    fps = content.get("fps")
    is_number = isinstance(fps, int | float) and not isinstance(fps, bool)
    expect(fps is None or (is_number and 0 < fps < 1e6), f"fps {fps!r} must be a number above 0")
    split = content.get("split")
    names = list(split.values()) if isinstance(split, dict) else [] if split is None else [split]
    expect(
        all(isinstance(name, str) and is_plain_name(name) for name in names),
        f"split {split!r} must be a plain name, or sequence ids with one each",
    )
    sequences = {str(sequence): name for sequence, name in split.items()} if isinstance(split, dict) else split
    stated = {key: content[key] for key in ("camera", "units") if key in content}
    metadata: dict[str, Any] = json.loads(json.dumps(stated, default=str))  # YAML knows dates, manifests do not
    return DatasetFile(label_space, encoding, None if fps is None else float(fps), sequences, metadata)


def is_plain_name(name: str) -> bool:
    """Whether a name can be a folder in the output: no separators, not hidden, printable.

    >>> is_plain_name("val"), is_plain_name("../val")
    (True, False)
    """
    return bool(name) and "/" not in name and not name.startswith(".") and not broken_name_rule(name)
