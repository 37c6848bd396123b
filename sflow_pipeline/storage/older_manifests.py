"""Manifests of older formats, as ones of the current format."""

from typing import Any

#: What instance files of a simulator hold, which manifests of format 2 do not state.
_FORMAT_2_INSTANCES = {
    **dict.fromkeys(
        ("blenderproc", "blenderproc-coco", "hypersim", "mapillary", "replicator", "unity-solo"), "numbered"
    ),
    **dict.fromkeys(("carla", "viper"), "class_in_red"),
    "kitti": "class_times_256",
    "vkitti2": "numbered_road_users",
}


def upgrade_manifest(content: dict[str, Any]) -> dict[str, Any]:
    """A manifest of an older format as one of the current format."""
    job, source = content.get("job"), content.get("source")
    stated = {name: job.get(name) for name in ("variants", "seed")} if isinstance(job, dict) else {}
    if content.get("format_version") == 2 and isinstance(source, dict):
        simulator = str(source.get("simulator"))
        defaults = {
            "label_table_format": simulator if source.get("label_encoding") == "table" else "",
            "instance_encoding": _FORMAT_2_INSTANCES.get(simulator, "class_times_1000"),
        }
        source = {**defaults, **source, "label_rule": source.get("label_rule") or ""}
    return {**stated, **content, "source": source, "left_out": content.get("left_out") or None}
