"""Settings that differ from those an existing dataset was made with, by name, before and after."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import Manifest, load_manifest

#: Settings of the last run that began.
SETTINGS_PATH = f"{STATE_PATH}/settings.json"
#: Facts of a manifest's source that a job may state, too; there they are resolved.
_SOURCE_FACTS = (
    "simulator", "simulator_version", "label_encoding", "label_table_format", "label_rule", "instance_encoding"
)  # fmt: skip
#: Facts of a manifest's source that no row depends on: where they alone differ, the manifest is written again.
_MANIFEST_FACTS = ("fps", "metadata")
#: ``appearance`` and ``smooth`` are the job's, resolved. The fingerprint covers the rest.
_FACTS = (
    "appearance", "smooth", "device", "precision", "batch_size", "edge_threshold", "format_version",
    "settings_fingerprint"
)  # fmt: skip
_OF_THE_SOURCE = frozenset({"sim_dir", "label_space", *_SOURCE_FACTS})


@dataclass(frozen=True)
class SettingChange:
    """One setting before and after; None where it was or is not stated."""

    name: str
    before: Any
    after: Any

    @property
    def is_of_the_manifest(self) -> bool:
        """Whether it changes the manifest alone, whatever the rows hold."""
        return self.name in _MANIFEST_FACTS

    def __str__(self) -> str:
        """Name and both values in one line.

        >>> str(SettingChange("variants", 3, 1)), str(SettingChange("columns", ["image", "flow"], ["image", "edge"]))
        ('variants: 3 -> 1', 'columns: without flow, with edge')
        """
        if isinstance(self.before, list | tuple) and isinstance(self.after, list | tuple):
            gone = [str(item) for item in self.before if item not in self.after]
            new = [str(item) for item in self.after if item not in self.before]
            parts = ["without " + ", ".join(gone)] * bool(gone) + ["with " + ", ".join(new)] * bool(new)
            if parts:
                return f"{self.name}: {', '.join(parts)}"
        return f"{self.name}: {_show(self.before)} -> {_show(self.after)}"


def describe_settings(manifest: Manifest) -> dict[str, Any]:
    """Setting -> JSON-like value of everything that decides what a dataset holds."""
    content = asdict(manifest)
    source, bundle, space = content["source"], content["bundle"], content["label_space"]
    return {
        "sim_dir": source["root"],
        **{name: value for name, value in content["job"].items() if name not in _OF_THE_SOURCE},
        **{name: source[name] for name in (*_SOURCE_FACTS, *_MANIFEST_FACTS)},
        "label_space": f"{space['name']} version {space['version']} ({space['digest'][:12]})",
        "bundle": f"{bundle['name']} {bundle['version']} ({bundle['digest'][:12]})",
        "columns": list(content["columns"]),
        **{name: content[name] for name in _FACTS},
    }


def compare_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[SettingChange, ...]:
    """What differs, in the order of ``after``; settings that one of the two does not know are left out.

    The fingerprint is among them where nothing else is.
    """
    changes = [
        SettingChange(name, before[name], after[name])
        for name in after
        if name in before and _plain(before[name]) != _plain(after[name])
    ]
    return tuple(change for change in changes if change.name != "settings_fingerprint" or len(changes) == 1)


def read_settings(out: Folder) -> tuple[dict[str, Any] | None, bool]:
    """The settings that a dataset was made with, and whether a run finished.

    Where none did, they are those of the last run that began; None where that is unknown.
    """
    try:
        return describe_settings(load_manifest(out, with_shards=False)), True
    except OutputError:
        pass
    try:
        content = json.loads(out.read_bytes(SETTINGS_PATH))
    except (OSError, ValueError, RecursionError):
        content = None
    return (content if isinstance(content, dict) else None), False


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [f"{key} {item}" for key, item in value.items()]
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
