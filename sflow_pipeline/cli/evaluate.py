"""``sflow-pipeline evaluate``: quality of a dataset, measured by networks that were trained elsewhere."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sflow_pipeline.addresses import join_address
from sflow_pipeline.cli.bar import LINE_EVERY_S, Bar
from sflow_pipeline.cli.exit_codes import FAILED
from sflow_pipeline.cli.stderr_line import print_stderr_line

# Options of one kind stand together on the help page.
_judge, _features, _run = (partial(typer.Option, rich_help_panel=kind) for kind in ("Judge", "Features", "Run"))


def evaluate_command(
    reference: Annotated[
        str, typer.Option(help="Real photos with labels, in any layout that inspect recognises.", metavar="REAL")
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Converted datasets, or folders of pictures with labels; none for the oracle alone.",
            metavar="OUT...",
            show_default=False,
        ),
    ] = None,
    reference_split: Annotated[str | None, typer.Option(help="Only this split of the real photos.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of the datasets.")] = None,
    judge: Annotated[
        str | None,
        _judge(
            help="A segmenter: TorchScript, ONNX, a YAML that describes one, or a bundle's folder; none for no judge. "
            "The segmenter of the dataset's bundle.",
            metavar="FILE",
        ),
    ] = None,
    judge_label_space: Annotated[str | None, _judge(help="What its output channels are.")] = None,
    judge_size: Annotated[str | None, _judge(help="Its input size.", metavar="WxH")] = None,
    judge_range: Annotated[str | None, _judge(help="Its input values: 0..255, 0..1, -1..1 or imagenet.")] = None,
    score_space: Annotated[str | None, _judge(help="Label space to score in; the real photos' own.")] = None,
    extractor: Annotated[
        str | None,
        _features(
            help="A network that gives one vector a picture, or EfficientNet-Lite0, SqueezeNet, VGG, HED or "
            "Inception-v3 weights, or a bundle's folder; none for no extractor. Perceptual networks also give "
            "class_kid and class_gain, VGG-16 and HED skvd and ckvd. Where no judge is named either, features of the "
            "segmenter of the dataset's bundle.",
            metavar="FILE",
        ),
    ] = None,
    extractor_size: Annotated[str | None, _features(help="Its input size.", metavar="WxH")] = None,
    extractor_range: Annotated[str | None, _features(help="Its input values, as for --judge-range.")] = None,
    edges: Annotated[
        bool, _features("--edges", help="Compare edges of the simulator, of DNED and of real photos.")
    ] = False,
    renders: Annotated[
        bool, _run("--renders", help="Add a row of the rendered frames for each dataset that holds them.")
    ] = False,
    video: Annotated[
        bool, _run("--video", help="Compare consecutive frames along their motion: warping errors.")
    ] = False,
    only: Annotated[
        str | None,
        _run(
            "--only",
            help="video: consecutive frames alone, as --video and --fvd measure them, without a judge.",
            metavar="PART",
        ),
    ] = None,
    fvd: Annotated[
        str | None,
        _features("--fvd", help="I3D weights (pytorch-i3d's, as .safetensors): FVD of clips.", metavar="FILE"),
    ] = None,
    rendered: Annotated[
        str | None,
        _run(
            help="The dump that the pictures were made from, for realism gain and recognition; the one that the "
            "dataset names.",
            metavar="SIM_DIR",
        ),
    ] = None,
    limit: Annotated[
        int | None, _run(min=1, help="The first N pictures of each only, for a preview.", metavar="N")
    ] = None,
    device: Annotated[str, _run(help="auto, cpu, cuda or cuda:N.")] = "auto",
    against: Annotated[
        str | None,
        _run(
            "--against",
            help="metrics.json of an earlier evaluation: end with exit code 1 if a score is worse.",
            metavar="FILE",
        ),
    ] = None,
    max_drop: Annotated[
        float,
        _run("--max-drop", help="With --against: how much worse, as a share of the earlier value.", metavar="X"),
    ] = 0.0,
    compare: Annotated[bool, _run("--compare", help="Write the table as Markdown, JSON and SVG.")] = False,
    out: Annotated[str | None, _run(help="Where the table goes; report/ of the first dataset.", metavar="DIR")] = None,
    as_json: Annotated[bool, _run("--json", help="Print JSON.")] = False,
) -> None:
    """Measure datasets and real photos with the same networks.

    The judge's predictions are compared with the labels. The last row is the oracle: the same on the real photos
    themselves, the best that can be expected. Realism gain and recognition compare converted images with the rendered
    frames they were made from. A number needs enough pictures; without it there is a dash, and below the table the
    reason. Results also go to report/metrics.json and the report page of every dataset. TorchScript files contain code:
    give only files that you trust.

    A judge.yaml has file (relative to it), size_px (WxH), input_range (0..255, 0..1, -1..1 or imagenet) and
    label_space (such as cityscapes19), and may have name, sha256 and filter.

    Examples:

      sflow-pipeline evaluate OUT_DIR --reference CamVid
      sflow-pipeline evaluate OUT_DIR --reference CamVid --judge judge.yaml
      sflow-pipeline evaluate --compare A B --reference CamVid --judge j.yaml
      sflow-pipeline evaluate OUT_DIR --reference CamVid --only video
      sflow-pipeline evaluate OUT_DIR --reference CamVid --against old.json
    """
    from sflow_pipeline.errors import UsageError
    from sflow_pipeline.evaluation.reference_networks.default_networks import find_default_network
    from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec

    judge_flags = {"label_space": judge_label_space, "size_px": judge_size, "input_range": judge_range}
    extractor_flags = {"size_px": extractor_size, "input_range": extractor_range}
    paths = tuple(datasets or ())
    if extractor is None:
        is_wanted = judge is None and only is None
        extractor_spec = find_default_network(paths, "extractor") if is_wanted else None
    else:
        is_wanted = extractor != "none"
        extractor_spec = load_network_spec(extractor, _given(extractor_flags), what="extractor") if is_wanted else None
    if only is not None:
        _check_only(only, {"--judge": judge, "--edges": edges or None})
        judge_spec = None
    elif judge is None:
        judge_spec = find_default_network(paths, "judge")
        if judge_spec is None:
            text = "no judge: neither the dataset's bundle nor the default one has a segmenter; name one with --judge"
            print_stderr_line("note", text, "yellow")
    else:
        judge_spec = None if judge == "none" else load_network_spec(judge, _given(judge_flags), what="judge")
    if len(paths) > 1 and not compare:
        raise UsageError(f"{len(paths)} datasets to evaluate", hint="add --compare to put them in one table")
    from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
    from sflow_pipeline.evaluation.results.baseline import find_drops, read_baseline
    from sflow_pipeline.evaluation.results.files import describe_evaluation, write_comparison, write_metrics
    from sflow_pipeline.evaluation.results.markdown import draw_markdown
    from sflow_pipeline.report.dataset_page import write_report_page

    settings = EvaluationSettings(
        paths=paths,
        reference=reference,
        split=split,
        reference_split=reference_split,
        judge=judge_spec,
        extractor=extractor_spec,
        score_space=score_space,
        renders=renders,
        rendered=rendered,
        edges=edges,
        video=video or only is not None,
        only_video=only is not None,
        i3d=fvd,
        limit=limit,
        device=device,
    )
    # Refused now, not after hours of measuring; and what is written below may replace the file.
    baseline = None if against is None else read_baseline(against, max_drop)
    with Bar("images", quiet=as_json, line_every_s=LINE_EVERY_S) as bar:

        def show(name: str, done: int, total: int) -> None:
            bar.show(done, total, description=name)
            if done == total:
                bar.print(f"{name}: {total} images measured")

        found = evaluate(settings, show)
    # Printed first: a folder that cannot be written to must not cost the results.
    typer.echo(json.dumps(describe_evaluation(found), indent=2) if as_json else draw_markdown(found))
    drops = [] if baseline is None else find_drops(found, baseline, max_drop)  # refused before a file is written
    written = write_metrics(found)
    for uri in dict.fromkeys(row.uri for row in found.rows if row.role == "dataset"):
        written.append(write_report_page(uri))
    if compare:
        written += write_comparison(found, out or _default_folder(found.rows[0].uri, found.rows[0].role))
    for path in written:
        typer.echo(f"written: {path}", err=as_json)
    if against is not None:
        for drop in drops:
            print_stderr_line("worse", drop.describe(), "red")
        if drops:
            raise typer.Exit(FAILED)
        typer.echo(f"no score is worse than in {against} by more than {max_drop:.1%}", err=as_json)


def _check_only(only: str, others: Mapping[str, object]) -> None:
    from sflow_pipeline.errors import UsageError

    if only != "video":
        raise UsageError(f"--only {only}: there is video alone", hint="give --only video, or leave --only out")
    for flag, value in others.items():
        if value not in (None, "none"):
            raise UsageError(
                f"--only video with {flag}: that measures single pictures",
                hint=f"leave {flag} out, or give --video in place of --only video",
            )


def _given(flags: dict[str, str | None]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _default_folder(uri: str, role: str) -> str:
    if role == "dataset":
        return join_address(uri, "report")
    return str(Path.cwd())
