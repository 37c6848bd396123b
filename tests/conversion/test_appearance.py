"""Appearance: what a job states or the dump suggests, recorded in every row, constant over a sequence."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import ConfigError, UsageError
from sflow_pipeline.inspection.inspect_dump import inspect_dump


@pytest.fixture
def read_rows(
    make_job: Callable[..., ConvertJob], appearance_bundle: Path, tmp_path: Path
) -> Callable[..., tuple[list[dict[str, Any]], tuple[str, ...]]]:
    """Rows and warnings of a conversion by the bundle with an appearance map."""

    def read(name: str, **fields: Any) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        out = tmp_path / name
        summary = convert(make_job(out_dir=str(out), bundle=str(appearance_bundle), **fields))
        files = sorted((out / "data").rglob("*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()], summary.warnings

    return read


def decode(row: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))).astype(int)


def test_strength_is_recorded_and_changes_the_image(read_rows: Callable[..., Any]) -> None:
    rows = {name: read_rows(name, appearance=name)[0] for name in ("palette", "coarse", "full")}
    assert {row["appearance"] for row in rows["palette"]} == {0.0}
    assert {row["appearance"] for row in rows["full"]} == {1.0}
    assert rows["coarse"][0]["appearance"] == pytest.approx(1 / 3)
    for a, b in (("palette", "full"), ("coarse", "full"), ("palette", "coarse")):
        assert np.abs(decode(rows[a][0]) - decode(rows[b][0])).mean() > 0.1
    labels = [[row["label"]["bytes"] for row in rows[name]] for name in rows]
    assert labels[0] == labels[1] == labels[2]


def test_auto_follows_renders_and_not_a_blank_one(dump: Any, read_rows: Callable[..., Any]) -> None:
    black = cv2.imencode(".png", np.zeros((32, 48, 3), np.uint8))[1].tobytes()
    dump.write("town01/rgb/0002.png", black)
    rows, warnings = read_rows("out")
    strengths = {row["sample_id"]: row["appearance"] for row in rows}
    assert len(strengths) == 11
    assert "town01/0002" not in strengths  # set aside
    assert set(strengths.values()) == {1.0}
    assert not any("black" in warning for warning in warnings)


def test_auto_on_a_dump_without_usable_renders_says_so_and_uses_the_palette(
    dump: Any, read_rows: Callable[..., Any]
) -> None:
    for sequence in ("town01", "town02"):
        for frame in range(6):
            flat = np.full((32, 48, 3), 10 * frame, np.uint8)
            dump.write(f"{sequence}/rgb/{frame:04}.png", cv2.imencode(".png", flat)[1].tobytes())
    rows, warnings = read_rows("out")
    assert {row["appearance"] for row in rows} == {0.0}
    assert any("8 of 8 renders sampled are black or of one colour" in warning for warning in warnings)
    problems = inspect_dump(dump.root).problems
    assert ["8 of 8 renders sampled" in problem.message for problem in problems] == [True]


@pytest.mark.parametrize("fields", [{}, {"appearance": 0, "size": "24x16"}])
def test_black_renders_give_the_images_of_a_dump_without_any(
    dump: Any, read_rows: Callable[..., Any], fields: dict[str, Any]
) -> None:
    for path in dump.root.glob("*/rgb/*.png"):
        dump.write(str(path.relative_to(dump.root)), cv2.imencode(".png", np.zeros((32, 48, 3), np.uint8))[1].tobytes())
    black, _ = read_rows("black", include=["render"], **fields)
    shape = (16, 24, 3) if fields else (32, 48, 3)
    assert not any(np.asarray(Image.open(io.BytesIO(row["render"]["bytes"]))).any() for row in black)
    shutil.rmtree(dump.root / "town01" / "rgb")
    shutil.rmtree(dump.root / "town02" / "rgb")
    none, _ = read_rows("none", **fields)
    assert len(black) == len(none) == 12 and decode(black[0]).shape == shape
    for one, other in zip(black, none, strict=True):
        assert one["sample_id"] == other["sample_id"] and one["image"]["bytes"] == other["image"]["bytes"]


def test_black_renders_say_nothing_about_motion(dump: Any, read_rows: Callable[..., Any]) -> None:
    for path in dump.root.glob("*/rgb/*.png"):
        dump.write(str(path.relative_to(dump.root)), cv2.imencode(".png", np.zeros((32, 48, 3), np.uint8))[1].tobytes())
    with pytest.raises(UsageError, match=r"smooth 1: dump .* has pictures that show nothing"):
        read_rows("out", smooth=1)
    still = np.full((32, 48, 3), 32768, np.uint16)
    still[..., 0] = 1  # blue: valid
    for path in dump.root.glob("*/rgb/*.png"):
        flow = path.relative_to(dump.root).parent.parent / "flow" / path.name
        dump.write(str(flow), cv2.imencode(".png", still)[1].tobytes())
    rows, warnings = read_rows("out")
    assert {row["smooth"] for row in rows} == {0.0}
    assert any("images of sequences are not smoothed: the dump has pictures that show" in text for text in warnings)


def test_variants_differ_in_colours_and_a_sequence_keeps_one_look(read_rows: Callable[..., Any]) -> None:
    rows, _ = read_rows("out", variants=3, photo_colors=0.1)
    looks: dict[tuple[str, int], set[tuple[float, int]]] = {}
    for row in rows:
        looks.setdefault((row["sequence_id"], row["variant"]), set()).add((row["photo_colors"], row["palette"]))
    assert all(len(look) == 1 for look in looks.values())
    first = {look for (_, variant), found in looks.items() if variant == 0 for look in found}
    assert {moved for moved, _ in first} == {np.float32(0.1)}
    later = [next(iter(found))[0] for (_, variant), found in looks.items() if variant > 0]
    assert all(0.2 <= moved <= 0.6 for moved in later)
    assert len(set(later)) == len(later)


def test_at_strength_zero_the_render_gives_nothing_but_edges(appearance_bundle: Path) -> None:
    """Two renders with the same edges, none, and other colours give one image at 0 and two at 1."""
    translator = Translator(load_bundle(appearance_bundle), "cpu", "fp32")
    labels = np.zeros((2, 32, 48), np.uint8)
    renders = np.stack([np.full((32, 48, 3), grey, np.uint8) for grey in (40, 200)])
    alpha = np.full((2, 5), 0.2, np.float32)
    for strength, same in ((0.0, True), (1.0, False)):
        photo = translator.translate(labels, renders, alpha, appearance=np.full(2, strength, np.float32)).photo
        assert np.array_equal(photo[0], photo[1]) == same
    paper = translator.translate(labels, renders, alpha).photo
    zero = translator.translate(labels, renders, alpha, appearance=np.zeros(2, np.float32)).photo
    assert np.array_equal(paper, zero)


def test_a_bundle_without_appearance_map_cannot_be_asked_for_it(make_job: Callable[..., ConvertJob]) -> None:
    with pytest.raises(UsageError, match=r"appearance 0\.5: bundle random 0 was trained without") as caught:
        convert(make_job(appearance=0.5))
    assert "leave out --appearance" in str(caught.value.hint)


@pytest.mark.parametrize("value", ["fulll", "1.5", "-0.1", "nan"])
def test_a_value_that_means_nothing_is_refused(make_job: Callable[..., ConvertJob], value: str) -> None:
    with pytest.raises(ConfigError, match=r"auto, a number from 0 to 1, or one of palette, coarse, fine, full"):
        make_job(appearance=value)
