"""``sflow-pipeline status``: how far a conversion is, or how it ended, from any machine that reaches its folder."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sflow_pipeline.cli.bar import format_duration
from sflow_pipeline.cli.exit_codes import CLEAN, FAILED, QUARANTINED

if TYPE_CHECKING:
    from sflow_pipeline.storage.filesystem import Folder

_WATCH_EVERY_S = 2.0


def status_command(
    out_dir: Annotated[str, typer.Argument(help="The dataset's folder.", metavar="OUT_DIR")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait for the run, and print every two seconds until it ends.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how far a conversion is: frames, shards, rate, time left, retries, quarantined frames by reason, workers.

    It reads OUT_DIR alone, which may be in an object store, and works while the conversion runs elsewhere. Exit code: 0
    running or finished, 3 finished with quarantined frames, 1 failed, stopped or without a sign of life.

    Examples:

      sflow-pipeline status OUT_DIR
      sflow-pipeline status OUT_DIR --watch
      sflow-pipeline status s3://bucket/out --json
    """
    from rich.console import Console

    from sflow_pipeline.storage.filesystem import Folder

    out, console = Folder(out_dir), Console()
    before: dict[str, Any] = {}
    is_waiting = False
    while True:
        if not _has_begun(out):
            _wait_or_raise(out, watch=watch, is_told=is_waiting)
            is_waiting = True
            continue
        facts = _read(out)
        if as_json:
            typer.echo(json.dumps(facts, indent=None if watch else 2))
        elif not watch or console.is_terminal:
            if watch:
                console.clear()
            typer.echo(_format(facts))
        elif facts != {**before, "updated_s": facts["updated_s"]}:  # in a file: what has changed
            typer.echo(("\n" if before else "") + _format(facts))
        before = facts
        if not watch or facts["state"] != "running":
            raise typer.Exit(_EXIT_CODES.get(facts["state"], QUARANTINED if facts["quarantined"] else CLEAN))
        time.sleep(_WATCH_EVERY_S)


_EXIT_CODES = {"running": CLEAN, "failed": FAILED, "stopped": FAILED, "dead": FAILED}


def _has_begun(out: "Folder") -> bool:
    """Whether a run or a dataset is there, sound or not."""
    from sflow_pipeline.conversion.status.run_status import STATUS_PATH
    from sflow_pipeline.storage.manifest import MANIFEST_PATH

    return any(facts.size_bytes >= 0 for facts in out.stat([STATUS_PATH, MANIFEST_PATH]))


def _wait_or_raise(out: "Folder", *, watch: bool, is_told: bool) -> None:
    from sflow_pipeline.errors import OutputError

    if not watch:
        raise OutputError(
            f"{out.uri}: no dataset, and no run has written there",
            hint="check the path; a run writes there once it has read its dump, and --watch waits for it",
        )
    if not is_told:
        typer.echo(f"{out.uri}: no run has written there yet; waiting", err=True)
    time.sleep(_WATCH_EVERY_S)


def _read(out: "Folder") -> dict[str, Any]:
    """The run's status, or that of the finished dataset."""
    from sflow_pipeline.conversion.status.run_status import RunStatus, read_run_status
    from sflow_pipeline.errors import OutputError
    from sflow_pipeline.storage.manifest import MANIFEST_PATH, load_manifest

    status = read_run_status(out)
    try:
        manifest = load_manifest(out)
    except OutputError:
        if status is None:
            raise
        manifest = None
    dataset = None if manifest is None else asdict(manifest.counts)
    if dataset is not None and status is not None and status.state == "running":
        written_s = out.stat([MANIFEST_PATH])[0].mtime_ns / 1e9
        if written_s > status.started_s:  # this run's, which has yet to write its report
            dataset = None
    if status is None:
        assert manifest is not None
        counts = manifest.counts
        reasons: dict[str, int] = {}
        for record in manifest.shards:
            for reason, count in record.reasons.items():
                reasons[reason] = reasons.get(reason, 0) + count
        status = RunStatus(
            state="finished",
            step="",
            frames=counts.frames,
            frames_total=counts.frames,
            shards=counts.shards,
            shards_total=counts.shards,
            quarantined=counts.quarantined,
            rejected=counts.rejected,
            reasons=reasons,
            device=f"{manifest.device} {manifest.precision}",
        )
    return {"out_dir": out.uri, **asdict(status), "dataset": dataset}


def _format(facts: dict[str, Any]) -> str:
    state, host = facts["state"], str(facts["host"]).rpartition(".")[0]
    more = {"running": f", {facts['step']}", "dead": ", the run ended without a word"}.get(state, "")
    lines = [f"{facts['out_dir']}: {state}{more}"]
    rate, left = facts["frames_per_s"], facts["left_s"]
    speed = f", {rate:.2f} frames/s" if rate else ""
    speed += f", about {format_duration(left)} left" if left else ""
    share = f" ({facts['frames'] / facts['frames_total']:.0%})" if facts["frames_total"] else ""
    lines.append(f"frames: {facts['frames']} of {facts['frames_total']}{share}{speed}")
    lines.append(f"shards: {facts['shards']} of {facts['shards_total']}, {facts['retries']} retries")
    reasons = ", ".join(f"{reason} {count}" for reason, count in facts["reasons"].items())
    lines.append(f"quarantined: {facts['quarantined']} frames" + (f" ({reasons})" if reasons else ""))
    if facts["rejected"]:
        lines.append(f"rejected by the gate: {facts['rejected']} images")
    if host:
        age = format_duration(max(0.0, time.time() - facts["updated_s"]))
        since = format_duration(max(0.0, facts["updated_s"] - facts["started_s"]))
        many = "worker" if facts["workers"] == 1 else "workers"
        workers = f"{facts['workers']} {many}, {facts['device']}; " if facts["workers"] else ""
        lines.append(f"run: {workers}process {facts['pid']} on {host}, {since} long, last heard of {age} ago")
    if facts["last_warning"]:
        lines.append(f"last warning of {facts['warnings']}: {facts['last_warning']}")
    if facts["error"]:
        lines.append(f"error: {facts['error']}")
    if state not in ("running", "finished"):
        lines.append("finished shards are kept; run the same command again to go on")
    if state != "finished" and facts["dataset"] is not None:
        lines.append(f"dataset of the last finished run: {facts['dataset']['rows']} rows")
    return "\n".join(lines)
