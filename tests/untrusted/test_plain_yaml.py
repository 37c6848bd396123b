"""Files that explode, nest, or hold values that no type takes end as errors that name them."""

from pathlib import Path

import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.config.recipe import load_recipe
from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.errors import ConfigError, LabelSpaceError, SflowError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.simulators.stated_facts import read_stated_facts
from sflow_pipeline.untrusted.plain_yaml import YamlError, parse_plain_yaml


def _write_bomb(first_key: str, levels: int = 9) -> str:
    lines = [f"{first_key}0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        repeated = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"{first_key}{level}: &a{level} [{repeated}]")
    return "\n".join(lines)


def test_aliases_may_repeat_but_not_explode() -> None:
    assert parse_plain_yaml("a: &x [1, 2]\nb: [*x, *x]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
    with pytest.raises(YamlError, match="more than 1000000 values"):
        parse_plain_yaml(_write_bomb("k"))


def test_merged_mappings_do_not_explode() -> None:
    lines = ["k0: &a0 {x: 1}"]
    lines += [f"k{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    with pytest.raises(YamlError, match="more than 1000000 values"):
        parse_plain_yaml("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 3000, "levels deep"),
        ("{a: " * 3000, "levels deep"),
        ("a: &a [*a]", "part of itself"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("a: !!timestamp 2001-99-99", "could not determine a constructor"),
        ("a: !!int x", "cannot be read"),
        ("a: 1\na: 2", "occurs twice"),
        ("? [1]\n: 2", "unhashable"),
        ("a: 1\n--- \nb: 2", "single document"),
        ("a: \x07", "special characters"),
        ("n: " + "9" * 5000, "cannot be read"),
    ],
)
def test_text_beyond_the_bounds(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        parse_plain_yaml(text)


HOSTILE = {
    "bomb": _write_bomb("units"),
    "deep": "units: " + "[" * 3000,
    "nul": 'sim_dir: a\nout_dir: "\\0"',
    "size with null": "sim_dir: a\nout_dir: b\nsize: [1, null]",
    "list in a list": "sim_dir: a\nout_dir: b\nalpha: [[x]]",
    "mapping for a name": "sim_dir: {a: b}\nout_dir: [b]",
    "date as a key": "2001-01-01: m",
    "no UTF-8": b"sim_dir: \xff",
    "huge number": "sim_dir: a\nout_dir: b\nseed: " + "9" * 9999,
    "nan": "sim_dir: a\nout_dir: b\nmax_bad_fraction: .nan",
    "text": "just text",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("read", [load_job_file, load_recipe, load_label_space], ids=["job", "recipe", "label space"])
def test_every_reader_of_yaml_ends_in_an_error(read, content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SflowError) as caught:
        read(path)
    assert len(caught.value.message) < 3000


@pytest.mark.parametrize("content", [HOSTILE["bomb"], "units: " + "[" * 3000, "units: {a: .inf}", "fps: 2001-99-99"])
def test_facts_of_a_dump(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text(f"label_space: cityscapes19\n{content}")
    with pytest.raises(ConfigError, match=r"dataset\.yaml"):
        read_stated_facts(str(tmp_path))


def test_dates_in_facts_stay_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text("camera: {2001-01-01: 2001-99-99, 1: true}")
    assert read_stated_facts(str(tmp_path)).metadata == {"camera": {"2001-01-01": "2001-99-99", "1": True}}


def test_job_from_python_with_wrong_types() -> None:
    with pytest.raises(ConfigError, match="size"):
        build_job({"sim_dir": "a", "out_dir": "b", "size": (64, None)})


def test_label_space_that_is_a_fifo_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").mkdir()
    with pytest.raises(LabelSpaceError, match="cannot be read"):
        load_label_space(tmp_path / "space.yaml")
