"""Status of a conversion in Prometheus' text format, for the textfile collector of its node exporter."""

from collections.abc import Mapping
from typing import Any

_GAUGES = {
    "frames": "Frames done, unchanged ones included.",
    "frames_total": "Frames of the job.",
    "shards": "Shards done, unchanged ones included.",
    "shards_total": "Shards of the job.",
    "frames_per_s": "Frames converted per second.",
    "left_s": "Seconds left.",
    "retries": "Shards that were tried again because their worker died.",
    "quarantined": "Frames that could not be converted.",
    "rejected": "Images that the gate left out.",
    "workers": "Worker processes.",
    "warnings": "Warnings.",
    "started_s": "Start of the run in seconds since 1970.",
    "updated_s": "Last change in seconds since 1970.",
}
_STATES = ("running", "finished", "failed", "stopped")


def format_metrics(status: Mapping[str, Any], out_dir: str) -> str:
    """Gauges named ``sflow_…`` with the dataset as label; values that are not known are left out.

    >>> print(format_metrics({"frames": 3, "state": "running"}, "out").splitlines()[2])
    sflow_frames{out_dir="out"} 3
    """
    label = f'out_dir="{_escape(out_dir)}"'
    lines = []
    for name, text in _GAUGES.items():
        if status.get(name) is not None:
            lines += [f"# HELP sflow_{name} {text}", f"# TYPE sflow_{name} gauge"]
            lines.append(f"sflow_{name}{{{label}}} {status[name]:.15g}")
    reasons = status.get("reasons") or {}
    if reasons:
        lines += ["# HELP sflow_quarantined_by_reason Frames by reason.", "# TYPE sflow_quarantined_by_reason gauge"]
        lines += [
            f'sflow_quarantined_by_reason{{{label},reason="{_escape(name)}"}} {count}'
            for name, count in reasons.items()
        ]
    lines += ["# HELP sflow_state 1 for the state that the run is in.", "# TYPE sflow_state gauge"]
    lines += [f'sflow_state{{{label},state="{name}"}} {int(status.get("state") == name)}' for name in _STATES]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
