"""Filters choose the rows that pandas' own query chooses, in both formats."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.columns import IDENTITY_COLUMNS
from sflow_pipeline.dataset.row_filter import parse_row_filter
from sflow_pipeline.errors import UsageError


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_chosen_rows_are_those_of_a_pandas_query(
    stored: str, convert_streets: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(convert_streets(format=stored, variants=2), out)
    table = give_scores(out, stored)
    first = table.sequence_id.iloc[0]
    for where, query in (
        ("scores.miou > 0.5", "miou > 0.5"),
        ("miou<=0.5 and variant == 1", "miou <= 0.5 and variant == 1"),
        (f"sequence_id != '{first}' and frame_index >= 2", f"sequence_id != '{first}' and frame_index >= 2"),
    ):
        chosen = open_dataset(out, columns=["label"], where=where)
        expected = table.query(query)
        assert 0 < len(expected) < len(table)
        found = sorted((sample.sample_id, sample.variant) for sample in (chosen[i] for i in range(len(chosen))))
        assert found == sorted(zip(expected.sample_id, expected.variant, strict=True))
        assert len(list(chosen.stream(shuffle=False))) == len(expected)


def give_scores(out: Path, stored: str, values: Sequence[float] = ()) -> pd.DataFrame:
    """Other values of miou in every row, of ``values`` if given, a quarter of them missing; the rows as a table."""
    rng = np.random.default_rng(5)
    rows = []
    for path in sorted((out / "data").rglob("*.parquet" if stored == "parquet" else "*.jsonl")):
        if stored == "parquet":
            listed = pq.read_table(path).to_pylist()
        else:
            listed = [json.loads(line) for line in path.read_text().splitlines()]
        for row in listed:
            row["miou"] = (
                None if rng.random() < 0.25 else float(np.float32(rng.choice(values) if values else rng.random()))
            )
        if stored == "parquet":
            pq.write_table(pa.Table.from_pylist(listed, pq.read_schema(path)), path)
        else:
            path.write_text("".join(f"{json.dumps(row)}\n" for row in listed))
        rows += listed
    return pd.DataFrame([{name: row[name] for name in (*IDENTITY_COLUMNS, "miou")} for row in rows])


@pytest.mark.parametrize("stored", ["parquet", "png"])
def test_decimals_are_those_that_the_column_holds(
    stored: str, convert_streets: Callable[..., Path], tmp_path: Path
) -> None:
    """As pyarrow compares a float32 column with the value that is cast to its type."""
    out = tmp_path / "out"
    shutil.copytree(convert_streets(format=stored, variants=2), out)
    table = give_scores(out, stored, [0.1, 0.2, 0.3])
    column = pa.array(table.miou, pa.float32(), from_pandas=True)
    written = "0.2"
    for sign, compare in (("==", pc.equal), ("<=", pc.less_equal), (">=", pc.greater_equal), ("!=", pc.not_equal)):
        expected = compare(column, pa.scalar(float(written), pa.float32())).to_pylist().count(True)
        assert len(open_dataset(out, where=f"miou {sign} {written}")) == expected > 0
    assert len(open_dataset(out, where="miou < 1e300")) == table.miou.notna().sum()


def test_whole_numbers_are_compared_as_such() -> None:
    seed = 2**53 + 1
    for written, is_held in ((seed, True), (seed - 1, False)):
        assert parse_row_filter(f"seed == {written}", ["seed"]).accepts({"seed": seed}) == is_held


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"variants": [7]}, "variants 7: "),
        ({"variants": [0, -1]}, "variants -1: "),
        ({"variants": []}, "variants []: chooses no row"),
        ({"split": []}, "split []: chooses no row"),
        ({"split": ["trian"]}, "split 'trian': "),
    ],
)
def test_choices_of_nothing_are_refused(
    convert_streets: Callable[..., Path], choice: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        open_dataset(convert_streets(format="parquet", variants=2), **choice)
    assert caught.value.message.startswith(said) and caught.value.hint


def test_rows_without_a_value_are_left_out(convert_streets: Callable[..., Path]) -> None:
    out = convert_streets(format="parquet", variants=2)
    rows = pd.read_parquet(out / "data" / "train")
    if "weakest_class" in rows.columns:
        assert len(open_dataset(out, where="weakest_class == ''")) == rows.weakest_class.eq("").sum()
    assert len(open_dataset(out, variants=[0], where="edge_f1 >= 0")) == (rows.variant == 0).sum()


def test_rows_that_no_gate_has_checked_have_not_passed_it(convert_streets: Callable[..., Path]) -> None:
    out = convert_streets(gate="off")
    assert len(open_dataset(out, where="failed_checks == ''")) == 0
    assert len(open_dataset(out)) > 0


@pytest.mark.parametrize(
    ("where", "said", "hint"),
    [
        ("miuo > 0.5", "no column 'miuo'", "did you mean miou"),
        ("image > 0.5", "no column 'image'", "it can be filtered by"),
        ("edge_f1 > high", "high is not a number", "for example"),
        ("edge_f1 > 'x'", "edge_f1 holds numbers", "edge_f1 > 0.5"),
        ("split == train", "split holds texts", "split == 'train'"),
        ("edge_f1", "expected COLUMN SIGN VALUE", "for example"),
        ("edge_f1 > 0.5 or variant == 1", "expected COLUMN SIGN VALUE", "for example"),
        ("edge_f1 > 0.5 and", "expected COLUMN SIGN VALUE", "for example"),
        ("__import__('os')", "expected COLUMN SIGN VALUE", "for example"),
        ("", "expected COLUMN SIGN VALUE", "for example"),
    ],
)
def test_what_cannot_be_read_is_said(convert_streets: Callable[..., Path], where: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_dataset(convert_streets(format="parquet", variants=2), where=where)
    assert said in caught.value.message
    assert hint in caught.value.hint or hint.startswith("did you mean")


def test_columns_of_older_datasets_are_passed_over() -> None:
    with pytest.raises(UsageError, match="no column 'fidelity_acc'") as caught:
        parse_row_filter("fidelity_acc > 0.5", ["miou", "fidelity_acc"])
    assert caught.value.hint.endswith("by miou")
    assert parse_row_filter("miou > 0.5", ["miou", "fidelity_acc"]).accepts({"miou": 0.6})
