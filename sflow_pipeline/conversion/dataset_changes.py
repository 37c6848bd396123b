"""Comparison of a plan with the dataset as it is: settings, source files, and rows that would go."""

from dataclasses import replace

from sflow_pipeline.conversion.dataset_card import build_manifest
from sflow_pipeline.conversion.losses import find_losses
from sflow_pipeline.conversion.plan import Plan
from sflow_pipeline.conversion.resolve_job import ResolvedJob
from sflow_pipeline.conversion.setting_changes import compare_settings, describe_settings, read_settings
from sflow_pipeline.conversion.source_list import compare_sources


def compare_with_dataset(plan: Plan, resolved: ResolvedJob) -> Plan:
    """The plan with everything that differs from the dataset in the output folder."""
    out = resolved.settings.out
    before = read_settings(out)
    after = describe_settings(build_manifest(resolved, (), None))
    settings = compare_settings(before, after) if before else ()
    plan = replace(plan, is_finished=before is not None, settings=settings)
    if plan.is_up_to_date:
        return plan
    return replace(
        plan,
        sources=compare_sources(out, resolved.frames),
        losses=find_losses(out, resolved, plan.touched, plan.kept, before),
    )
