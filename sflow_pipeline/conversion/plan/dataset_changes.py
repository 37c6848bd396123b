"""Comparison of a plan with the dataset as it is: settings, source files, and rows that would go."""

from dataclasses import replace
from typing import Any

from sflow_pipeline.conversion.dataset_card import build_manifest
from sflow_pipeline.conversion.job.resolve_job import ResolvedJob
from sflow_pipeline.conversion.plan.losses import find_losses
from sflow_pipeline.conversion.plan.plan import Plan
from sflow_pipeline.conversion.setting_changes import SETTINGS_PATH, compare_settings, describe_settings, read_settings
from sflow_pipeline.conversion.source.source_list import compare_sources
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.filesystem import Folder


def compare_with_dataset(plan: Plan, resolved: ResolvedJob) -> Plan:
    """The plan with everything that differs from the dataset in the output folder."""
    out = resolved.settings.out
    before, is_finished = read_settings(out)
    settings = compare_settings(before, _describe(resolved)) if before else ()
    plan = replace(plan, is_finished=is_finished, settings=settings)
    if plan.is_up_to_date:
        return plan
    return replace(
        plan,
        sources=compare_sources(out, resolved.index),
        losses=find_losses(out, resolved, plan.touched, plan.kept, before),
    )


def write_settings(out: Folder, resolved: ResolvedJob) -> None:
    """Write down the settings of a run that begins, for the next one where this one does not end."""
    out.write_bytes(SETTINGS_PATH, encode_json(_describe(resolved)))


def _describe(resolved: ResolvedJob) -> dict[str, Any]:
    return describe_settings(build_manifest(resolved, (), None))
