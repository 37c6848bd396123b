"""`convert`: runs a job to a finished dataset; can be interrupted and resumed at any time."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.conversion_run import ConversionRun
from sflow_pipeline.conversion.engines.interruption import raise_on_sigterm
from sflow_pipeline.conversion.gate.gate import GateFactory
from sflow_pipeline.conversion.painting.translator_factory import TranslatorFactory
from sflow_pipeline.conversion.plan.dataset_changes import write_settings
from sflow_pipeline.conversion.plan.losses import check_losses
from sflow_pipeline.conversion.plan.plan import Plan
from sflow_pipeline.conversion.status.progress import Progress, SilentProgress
from sflow_pipeline.conversion.status.run_status import StatusWriter
from sflow_pipeline.conversion.summary import Summary
from sflow_pipeline.storage.manifest import MANIFEST_PATH, check_ours
from sflow_pipeline.storage.run_lock import RunLock


def plan_conversion(job: ConvertJob, progress: Progress | None = None) -> Plan:
    """The plan of a conversion; reads the dump, writes nothing.

    Raises:
        SflowError: the conversion would stop before its first frame.
    """
    with ExitStack() as stack:
        run = ConversionRun(job, progress or SilentProgress(), stack)
        run.check_labels()
        return run.plan()


def convert(
    job: ConvertJob,
    *,
    progress: Progress | None = None,
    build_translator: TranslatorFactory | None = None,
    build_gate: GateFactory | None = None,
    on_finished: Callable[[Summary], None] = lambda _summary: None,
) -> Summary:
    """Convert a dump, or bring a dataset up to date with it.

    Args:
        job: what to do.
        progress: receives events.
        build_translator: builds each worker's model; from the job's bundle by default.
        build_gate: builds each worker's gate; from the job and its bundle by default.
        on_finished: called at the end, while no other run can write the folder yet.

    Returns:
        A summary; ``status`` is whether the dataset is complete.

    Raises:
        SflowError: the job cannot start or go on; finished shards are kept.
        KeyboardInterrupt: interrupted (``Terminated`` by SIGTERM); finished shards are kept.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(raise_on_sigterm())
        status = StatusWriter(progress or SilentProgress(), job.metrics_file)
        run = ConversionRun(job, status, stack)
        check_ours(run.out)
        lock = stack.enter_context(RunLock(run.out, on_damaged=run.warn))
        run.is_writing = True
        stack.enter_context(status.writing(run.out, lock.check))
        if not check_ours(run.out):
            run.set_aside(MANIFEST_PATH)
        run.out.remove_stale_scratch()
        stack.callback(run.out.remove_stale_scratch)  # of workers that were stopped with this run
        census = run.check_labels()
        plan = run.plan()
        if not job.replace:
            check_losses(run.out, plan.losses, plan.rows_before)
        if run.resolved.splits is not None:
            run.resolved.splits.save(run.out)
        run.check_space(plan)
        write_settings(run.out, run.resolved)
        run.convert_shards(plan, lock, build_translator, build_gate)
        lock.check()
        summary = run.finish(plan, census, lock, started)
        on_finished(summary)
        lock.check()
        return summary
