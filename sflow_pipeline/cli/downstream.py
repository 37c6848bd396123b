"""``sflow-pipeline downstream``: what converted frames are worth for training, tested on real photos."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sflow_pipeline.cli.bar import Bar


def downstream_command(
    job: Annotated[str, typer.Argument(help="YAML file with sources, tests, arms and the budget.", metavar="JOB.yaml")],
    out: Annotated[
        str | None,
        typer.Option(help="Folder of results and finished runs; downstream/ beside the job.", metavar="DIR"),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key: --set steps=500.", metavar="KEY=VALUE")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what is left to train, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train the same small network on several sets of pictures, and test it on real photos.

    Every arm (rendered frames, converted ones, real photos, mixtures) has the same network, steps, seeds and
    augmentation. The table has mIoU per class over seeds, or with `task: detection` the average precision of boxes,
    and the share of the gap between rendered frames and real photos that an arm closes. Sources are converted
    datasets, simulator dumps and labelled photos in any layout that inspect reads. An interrupted comparison resumes;
    arms, seeds and tests that are added later leave the finished runs as they are. The same results go to the report
    of every converted dataset.

    Examples:

      sflow-pipeline downstream JOB.yaml
      sflow-pipeline downstream JOB.yaml --out worth --set steps=500
      sflow-pipeline downstream JOB.yaml --dry-run
      sflow-pipeline downstream JOB.yaml --set task=detection
    """
    from sflow_pipeline.config.decode import parse_settings
    from sflow_pipeline.config.downstream_job import load_downstream_job
    from sflow_pipeline.errors import UsageError

    if out is not None and "://" in out:
        raise UsageError(
            f"--out {out}: networks are trained in a local folder", hint="name one, and copy it afterwards"
        )
    loaded = load_downstream_job(job, parse_settings(settings or [], example="steps=500"))
    from sflow_pipeline.downstream.compare import Comparer, Progress, Run
    from sflow_pipeline.downstream.files import write_for_reports, write_results
    from sflow_pipeline.downstream.results import Comparison
    from sflow_pipeline.downstream.tables import draw_markdown, format_score
    from sflow_pipeline.report.dataset_page import write_report_page

    folder = Path(out) if out else Path(job).parent / "downstream"
    with Bar("steps", quiet=as_json, line_every_s=30) as bar:
        comparer = Comparer(loaded, folder, lambda name: bar.describe(f"reading {name}"))
        runs = comparer.list_runs()
        left = [run for run in runs if run.steps_left or run.tests_left]
        bar.print(f"{len(runs)} runs: {len(runs) - len(left)} finished, {len(left)} left")
        if dry_run:
            rows = [{"arm": run.arm.name, "seed": run.seed, "steps": run.steps_left} for run in left]
            lines = [f"{row['arm']}, seed {row['seed']}: {row['steps']} steps to train" for row in rows]
            typer.echo(json.dumps({"runs": len(runs), "left": rows}, indent=2) if as_json else "\n".join(lines))
            return
        bar.restart_clock(0)
        measures = comparer.task.measures

        def show(progress: Progress) -> None:
            name = f"{progress.run.arm.name}, seed {progress.run.seed}"
            bar.show(progress.done, progress.total, description=name)

        def report(run: Run, comparison: Comparison) -> None:
            write_results(comparison, folder)
            arm = comparison.find(run.arm.name)
            tests = arm.tests.items() if arm is not None else ()
            scores = ", ".join(f"{name} {format_score(result.measures[measures.main])}" for name, result in tests)
            bar.print(f"{run.arm.name}, seed {run.seed}: {measures.main_title} so far {scores}")

        comparison = comparer.finish(show, report)
    # Printed first: a folder that cannot be written to must not cost the results.
    typer.echo(json.dumps(comparison.to_dict(), indent=2) if as_json else draw_markdown(comparison))
    written = write_results(comparison, folder)
    written += [write_report_page(path) for path in write_for_reports(comparison, loaded)]
    for path in written:
        typer.echo(f"written: {path}", err=as_json)
