"""Jobs from YAML and flags: every flag is a field, every mistake is named."""

import inspect

import pytest

from sflow_pipeline.cli.convert import convert_command
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.errors import ConfigError


def test_yaml_traps(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "sim_dir: no\nout_dir: 0123\nmax_bad_fraction: 2e-4\ncontent_hash: yes\nworkers: null\nsize: 512x256\n"
    )
    job = load_job_file(path, {"variants": "3"}).steps[0].convert
    assert (job.sim_dir, job.out_dir, job.max_bad_fraction) == ("no", "0123", 2e-4)
    assert (job.content_hash, job.workers, job.size, job.variants) == (True, None, (512, 256), 3)


def test_wrong_key_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        build_job({"sim_dir": "a", "out_dir": "b", "varients": 2})
    assert "varients" in caught.value.message
    assert "variants" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", "512"), ("size", "4x4"), ("variants", 0), ("device", "gpu"),
     ("size", "100000x400"), ("size", "0x64"), ("limit", 0), ("format", "zarr"), ("include", "edges"),
     ("max_bad_fraction", 1.5), ("split", "../x"), ("workers", 0), ("unknown_ids", "drop"),
     ("alpha", "sharp"), ("alpha", "even,crisp")],
)  # fmt: skip
def test_wrong_values_are_named(key, value):
    with pytest.raises(ConfigError) as caught:
        build_job({"sim_dir": "a", "out_dir": "b", key: value})
    assert key in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [("format", "parqet", "parquet"), ("include", "edges", "edge"), ("appearance", "coarce", "coarse"),
     ("device", "cud", "cuda"), ("label_encoding", "red-channel", "red_channel"), ("alpha", "crispy", "crisp"),
     ("gate", "enforced", "enforce"), ("own_vehicle", "masked", "mask")],
)  # fmt: skip
def test_a_misspelt_value_is_answered_with_the_nearest(key, value, near):
    with pytest.raises(ConfigError) as caught:
        build_job({"sim_dir": "a", "out_dir": "b", key: value})
    assert caught.value.hint == f"did you mean {near}?"


def test_duplicate_keys_are_refused(tmp_path):
    (tmp_path / "job.yaml").write_text("sim_dir: a\nsim_dir: b\nout_dir: c\n")
    with pytest.raises(ConfigError, match="twice"):
        load_job_file(tmp_path / "job.yaml")


def test_every_flag_of_convert_is_a_field_of_the_job():
    flags = set(inspect.signature(convert_command).parameters) - {"dry_run", "quiet", "as_json"}
    assert flags == set(ConvertJob.model_fields)


def test_speed_is_not_content():
    fast = build_job({"sim_dir": "a", "out_dir": "b", "workers": 8, "max_bad_fraction": 1})
    slow = build_job({"sim_dir": "a", "out_dir": "c"})
    assert fast.describe_content() == slow.describe_content()
    assert build_job({"sim_dir": "a", "out_dir": "b", "seed": 1}).describe_content() != slow.describe_content()
