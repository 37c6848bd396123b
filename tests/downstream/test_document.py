"""The job of docs/downstream.md is one that the program accepts, and its defaults are the job's."""

import re
from pathlib import Path

from sflow_pipeline.config.downstream_job import DownstreamJob, load_downstream_job

PAGE = (Path(__file__).parents[2] / "docs/downstream.md").read_text(encoding="utf-8")


def test_the_example_is_a_job(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert example is not None
    path = tmp_path / "worth.yaml"
    path.write_text(example[1])
    job = load_downstream_job(path)
    assert {part.source for arm in job.parsed_arms for part in arm.parts} == {"rendered", "converted", "real"}
    assert job.sources["rendered"][0].column == "render"


def test_defaults_are_those_of_the_job() -> None:
    fields = DownstreamJob.model_fields
    width, height = fields["crop_px"].default
    assert f"{fields['steps'].default}, {fields['batch_size'].default}, {fields['lr'].default}" in PAGE
    assert f"`crop_px` | {width}x{height}" in PAGE
    assert f"`frame_width_px` | {list(fields['frame_width_px'].default)}" in PAGE
    assert f"{fields['network'].default}, {fields['width'].default}" in PAGE
    assert f"`seeds` | {list(fields['seeds'].default)}" in PAGE
