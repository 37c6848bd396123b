"""``sflow-pipeline inspect``: layout, label mapping and problems of a dump, before any conversion."""

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sflow_pipeline.cli.bar import format_duration
from sflow_pipeline.cli.exit_codes import CLEAN, FAILED, QUARANTINED
from sflow_pipeline.cli.flag_names import name_flags, replace_fields
from sflow_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from sflow_pipeline.inspection.inspect_dump import Inspection

#: Options of ``convert`` that decide what it refuses.
_limit = partial(typer.Option, rich_help_panel="Limits, as in convert")
_THUMBNAILS = 12
_BAR = 16
_SHOWN_CLASSES = 4
#: Columns where there is no terminal to ask: long facts stay on one line.
_LOG_WIDTH = 160


@name_flags()
def inspect_command(
    dump: Annotated[str, typer.Argument(help="The folder that the simulator wrote.", metavar="SIM_DIR")],
    simulator: Annotated[
        str | None, typer.Option("--simulator", help="Layout of the dump; recognised by default.")
    ] = None,
    label_space: Annotated[
        str | None, typer.Option("--label-space", help="Label space of the labels: a name or a YAML file.")
    ] = None,
    label_encoding: Annotated[
        str | None,
        typer.Option("--label-encoding", help="How label files hold ids: ids, red_channel, rgb_ids or palette."),
    ] = None,
    instance_encoding: Annotated[
        str | None, typer.Option("--instance-encoding", help="What instance files hold, such as numbered.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout", help="Path pattern of each column, by comma: render=img/{sequence}/{frame}.png,label=…."
        ),
    ] = None,
    model_label_space: Annotated[
        str | None,
        typer.Option("--model-label-space", help="Label space of the model; the bundle's by default."),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Trained bundle for the conversion; the default one.")
    ] = None,
    unknown_ids: Annotated[str | None, _limit("--unknown-ids", help="error, or ignore.", metavar="NAME")] = None,
    max_unknown_fraction: Annotated[
        float | None, _limit("--max-unknown-fraction", help="Pixels with unknown ids.", metavar="X")
    ] = None,
    max_void_fraction: Annotated[
        float | None, _limit("--max-void-fraction", help="Pixels that the model has no class for.", metavar="X")
    ] = None,
    max_frame_void: Annotated[
        float | None, _limit("--max-frame-void", help="Pixels of one label without a class.", metavar="X")
    ] = None,
    max_bad_fraction: Annotated[
        float | None, _limit("--max-bad-fraction", help="Frames that cannot be converted.", metavar="X")
    ] = None,
    contradictions: Annotated[str | None, _limit("--contradictions", help="error, or ignore.", metavar="NAME")] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="Frames to open in dumps of more than 200 frames.")
    ] = 64,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Labelled real photos: say how far the dump is from them, and whether converting is likely to help.",
            metavar="REAL_DIR",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="For --against: auto, cpu, cuda or cuda:N.")] = "auto",
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Measure the time of a conversion on a few frames.")
    ] = False,
    html: Annotated[
        str | None, typer.Option("--html", help="Write a page with images to this file.", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a simulator dump holds, how its classes map to the model's, and what is wrong with it.

    Opens every frame of a small dump and a sample of a large one. Writes nothing but the page of --html.

    Examples:

      sflow-pipeline inspect SIM_DIR
      sflow-pipeline inspect SIM_DIR --estimate
      sflow-pipeline inspect SIM_DIR --html dump.html
      sflow-pipeline inspect SIM_DIR --against CamVid
      sflow-pipeline inspect SIM_DIR --label-space carla-0.9.14 --json

    Ends with the exit code of a conversion: 1 where it would stop, 3 where it would leave out frames or files.
    """
    from sflow_pipeline.conversion.labels.census import VOID_WARNING
    from sflow_pipeline.inspection.inspect_dump import inspect_dump

    if html and Path(html).is_dir():
        raise UsageError(f"--html {html}: a folder", hint=f"name a file, such as {Path(html) / 'dump.html'}")
    limits = {
        "unknown_ids": unknown_ids,
        "max_unknown_fraction": max_unknown_fraction,
        "max_void_fraction": max_void_fraction,
        "max_frame_void": max_frame_void,
        "max_bad_fraction": max_bad_fraction,
        "contradictions": contradictions,
    }
    found = inspect_dump(
        dump,
        simulator=simulator,
        layout=layout,
        label_space=label_space,
        label_encoding=label_encoding,
        instance_encoding=instance_encoding,
        model_label_space=model_label_space,
        bundle=bundle,
        sample=sample,
        measure=estimate,
        thumbnails=_THUMBNAILS if html else 0,
        **{name: value for name, value in limits.items() if value is not None},
    )
    exit_code = FAILED if found.failure else QUARANTINED if found.leaves_out else CLEAN
    gap = None
    if against and not found.failure:
        stated = {"simulator": simulator, "layout": layout, "label_space": label_space}
        encodings = {"label_encoding": label_encoding, "instance_encoding": instance_encoding}
        gap = _compare(dump, against, bundle, {**stated, **encodings}, device)
    content = {**found.to_dict(), **({"against": gap} if gap else {})}
    if html:
        from sflow_pipeline.report.dump_page import build_dump_page
        from sflow_pipeline.storage.filesystem import Folder

        page = build_dump_page(content, [(drawn.sample_id, drawn.picture) for drawn in found.thumbnails])
        Folder(str(Path(html).parent)).write_bytes(Path(html).name, page.encode("utf-8", "backslashreplace"))
    if as_json:
        typer.echo(json.dumps(content, indent=2))
        raise typer.Exit(exit_code)
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _LOG_WIDTH
    console.print(_facts_table(found))
    console.print(_class_table(found))
    void = sum(found.void_shares.values())
    if void > VOID_WARNING or found.void_shares.keys() & set(found.lost_classes):
        listed = ", ".join(f"{name} {share:.2%}" for name, share in list(found.void_shares.items())[:_SHOWN_CLASSES])
        console.print(
            f"warning: {void:.2%} of the pixels are of classes that {found.model_label_space} does not have "
            f"({listed}); the model treats them as void",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    for unmapped in found.unmapped_ids:
        what = f"id {unmapped.id}" if unmapped.id is not None else f"colour {unmapped.color}"
        files = ", ".join(unmapped.first_files)
        console.print(
            f"error: {what} on {unmapped.share:.2%} of the pixels is not in label space {found.label_space}; "
            f"first in {files}",
            style="red",
            markup=False,
            soft_wrap=True,
        )
    for problem in found.problems:
        if problem.message != found.failure:
            style = "red" if problem.severity == "error" else "yellow"
            console.print(f"{problem.severity}: {problem.message}", style=style, markup=False, soft_wrap=True)
    if gap:
        _print_gap(console, gap)
    if found.failure:
        failure = replace_fields(found.failure, [name for name in limits if name.startswith("max_")])
        console.print(f"convert would stop: {failure}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(exit_code)


def _compare(dump: str, against: str, bundle: str | None, stated: dict[str, str | None], device: str) -> dict[str, Any]:
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.inspection.domain_gap import compare_with_photos
    from sflow_pipeline.inspection.gap_advice import report_gap

    options = build_job({"sim_dir": dump, "out_dir": f"{dump}.unwritten", **stated}).dump_options
    return report_gap(compare_with_photos(dump, against, bundle=bundle, dump_options=options, device=device))


def _print_gap(console: "Console", gap: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False, title="against real photos", title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    advice = gap["advice"]
    rows = [*gap["facts"], ("outlook", advice["outlook"])]
    rows += [("at risk", risk) for risk in advice["risks"] or ("no class stands out",)]
    rows += [
        ("start with", f"--appearance {advice['appearance']}: {advice['why_appearance']}"),
        ("for training", advice["for_training"]),
    ]
    for name, text in rows:
        table.add_row(name, escape(text))
    console.print(table)


def _facts_table(found: "Inspection") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    version = f" {found.version}" if found.version else ""
    rule = f", rule {found.label_rule}" if found.label_rule else ""
    splits = ", ".join(f"{name} {count}" for name, count in found.splits.items())
    is_guessed = found.estimate.seconds is None
    duration = "not measured" if found.estimate.seconds is None else f"about {format_duration(found.estimate.seconds)}"
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in (
        ("simulator", f"{found.simulator}{version}"),
        ("evidence", found.why),
        ("sequences", f"{found.sequences}"),
        ("frames", f"{found.frames} ({splits})"),
        ("modalities", ", ".join(found.modalities)),
        ("sizes", ", ".join(f"{size} px ({count})" for size, count in found.sizes.items())),
        ("rate", "unknown" if found.fps is None else f"{found.fps:g} frames/s"),
        *((("as video", _describe_video(found)),) if found.frames > found.sequences else ()),
        ("labels", f"{found.label_space}, as {found.label_encoding}{rule}"),
        *((("instances", f"as {found.instance_encoding}"),) if found.instance_encoding else ()),
        ("opened", f"{found.sampled_frames} of {found.frames} frames"),
        ("to read", f"{found.source_bytes / 1e6:,.0f} MB, about"),
        ("to write", f"{found.estimate.bytes / 1e6:,.0f} MB{' at most' if is_guessed else ''}, about"),
        ("to convert", f"{duration}; {'--estimate does' if is_guessed else found.estimate.how}"),
    ):
        table.add_row(name, escape(value))
    return table


def _describe_video(found: "Inspection") -> str:
    """How images of a sequence are made steadier."""
    if "render" not in found.modalities:
        return "images are independent: smoothing compares pictures, and there are none"
    if "flow" in found.modalities:
        return "convert makes images steadier from frame to frame, along the dump's flow; --smooth 0 does not"
    return "convert --smooth 1 makes images steadier from frame to frame, along the motion measured in the pictures"


def _class_table(found: "Inspection") -> "Table":
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    shares = {row.id: row for row in found.classes}
    largest = max((row.share for row in found.classes), default=1.0)
    table = Table("id", f"class in {found.label_space}", "pixels", "", f"becomes in {found.model_label_space}")
    table.columns[0].justify = table.columns[2].justify = "right"
    for row in found.mapping:
        found_class = shares.get(row.source_id)
        share, bar = "", Text()
        if found_class:
            share = f"{found_class.share:.2%}"
            red, green, blue = found_class.color
            bar = Text("█" * max(1, round(_BAR * found_class.share / largest)), style=f"rgb({red},{green},{blue})")
        lost = " (lost)" if row.is_lost else ""
        table.add_row(str(row.source_id), escape(row.source_name), share, bar, escape(row.target_name) + lost)
    return table
