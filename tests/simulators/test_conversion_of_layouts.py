"""Every generated layout converts: labels byte for byte, and what else a frame carries."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.report.contact_sheet import write_contact_sheet
from sflow_pipeline.report.dataset_page import write_report_page
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.filesystem import Folder

LAYOUTS = sorted(path.stem for path in (Path(__file__).parent / "layouts").glob("*.py"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_converts_with_its_files_untouched(
    name: str, make_layout: Callable[[str], Path], random_bundle: Path, tmp_path: Path
) -> None:
    root, out = make_layout(name), tmp_path / "out"
    own_space = root.parent / f"{name}-labels.yaml"
    label_space = str(own_space) if own_space.exists() else None
    fields = {
        "sim_dir": str(root),
        "out_dir": str(out),
        "bundle": str(random_bundle),
        "workers": 1,
        "precision": "fp32",
    }
    fields |= {"label_space": label_space}
    convert(build_job(fields))
    rows = [row for path in sorted((out / "data").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    dump, source = discover(str(root), label_space=label_space), Folder(str(root))
    frames = {frame.sample_id: frame for frame in dump.frames}
    assert {row["sample_id"] for row in rows} == set(frames)
    assert not list((out / "quarantine").rglob("*/*/*.parquet"))
    for row in rows:
        frame = frames[row["sample_id"]]
        assert row["label"]["bytes"] == source.read_bytes(frame.label)
        for modality in dump.modalities:
            path = getattr(frame, modality)
            if modality in ("render", "label") or path is None:
                continue
            carried = row[modality]["bytes"] if isinstance(row[modality], dict) else row[modality].encode()
            assert carried == source.read_bytes(path), modality
    contents = load_contents(str(out))
    for row in contents.read_rows():
        frame = frames[row.sample_id]
        expected = dump.label_format.read(
            source.read_bytes(frame.label),
            source.read_bytes(frame.label_table) if frame.label_table else None,
            frame.label,
        )
        assert np.array_equal(row.decode_label_map(), expected.label_map)
        assert contents.label_space.digest == dump.load_label_space().digest
    card = (out / "README.md").read_text()
    for column, unit in dump.metadata.get("units", {}).items():
        assert (f"| unit of {column} | {unit} |" in card) == (column == "label" or column in dump.modalities)
    assert ("byte for byte the simulator's" in card) == (root / dump.frames[0].label).is_file()
    assert write_contact_sheet(str(out)) is not None
    assert write_report_page(str(out))
    is_said = "byte for byte the simulator" in (out / "report" / "index.html").read_text()
    assert is_said == (root / dump.frames[0].label).is_file()
