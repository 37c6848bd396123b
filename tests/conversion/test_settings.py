"""The fingerprint counts everything but a named few, so that a field that is added counts without being asked."""

from dataclasses import fields, replace

import pytest

from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.motion.motion_source import MotionSource
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage.filesystem import Folder

#: Another value of each setting that decides bytes.
OTHERS = {
    "label_format": LabelFormat(load_label_space("cityscapes19")),
    "target_space": load_label_space("cityscapes34"),
    "allow_nan_depth": True,
    "columns": ("edge",),
    "raw_columns": ("depth",),
    "alpha_concentration": 3.0,
    "palettes": 7,
    "appearance": 0.3,
    "bundle_digest": "other",
    "gate_digest": "0" * 64,
    "backend_digest": "0" * 64,
    "edge_threshold": 0.123,
    "own_vehicle_mask": b"a picture",
    "use_instances": True,
    "device": "cuda",
    "precision": "bf16",
    "motion": MotionSource(("flow",), "folder"),
    "has_renders": False,
    "has_blank_renders": True,
}
JOBS = {
    "variants": 2, "seed": 9, "alpha": "crisp", "palette": "drawn", "size": "24x16", "format": "png",
    "unknown_ids": "ignore", "shifts": 2,
}  # fmt: skip


@pytest.fixture
def settings(make_job) -> ConversionSettings:
    return resolve_job(make_job()).settings


def test_every_setting_counts_but_places_and_the_batch_on_a_cpu(settings):
    names = {item.name for item in fields(ConversionSettings)}
    assert names - OTHERS.keys() == {"job", "source", "out", "batch_size", "use_previous"}  # the digest counts the last
    fingerprints = {replace(settings, **{name: value}).fingerprint for name, value in OTHERS.items()}
    assert len(fingerprints | {settings.fingerprint}) == len(OTHERS) + 1
    labels = {"encoding": "palette", "rule": "sky_touches_top", "table_format": "replicator"}
    formats = [replace(settings.label_format, **{name: value}) for name, value in labels.items()]
    assert len({replace(settings, label_format=other).fingerprint for other in formats} | fingerprints) == 3 + len(
        OTHERS
    )
    elsewhere = replace(settings, source=Folder("/a"), out=Folder("/b"), batch_size=5)
    assert elsewhere.fingerprint == settings.fingerprint
    assert replace(settings, device="cuda:1").fingerprint == replace(settings, device="cuda").fingerprint


def test_what_a_job_asks_for_counts_and_how_it_runs_does_not(settings, make_job):
    def with_job(**changes):
        return replace(settings, job=make_job(**changes)).fingerprint

    assert len({with_job(**{name: value}) for name, value in JOBS.items()} | {settings.fingerprint}) == len(JOBS) + 1
    same = {"workers": 3, "shard_frames": 9, "limit": 2, "max_bad_fraction": 0.5, "split": "val", "batch_size": 2}
    same["smooth"] = 0.5  # counted as resolved: this dump has no flow
    assert {with_job(**{name: value}) for name, value in same.items()} == {settings.fingerprint}
