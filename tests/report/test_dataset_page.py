"""The report page is one valid file that needs nothing else and says what the dataset says."""

import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import sflow_pipeline
from sflow_pipeline.__main__ import main
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.report.dataset_page import write_report_page
from sflow_pipeline.report.score_index import index_scores
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import load_manifest, write_manifest
from sflow_pipeline.street.write_dump import write_sample_dump

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "input", "br"}
# As in conftest.py.
HOSTILE_SEQUENCE = "<script>document.title='run by a name'<"
HOSTILE_CLASS = '"><img src=x onerror="document.title=\'run by a name\'">'


class Outline(HTMLParser):
    """Checks that tags nest, and collects what the page holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def join_text(self) -> str:
        """What a reader gets to read."""
        return " ".join(text for tag, text in self.text if tag not in ("script", "style"))


def read_page(out: Path) -> str:
    return (out / "report" / "index.html").read_text()


def read_rows(out: Path) -> list[dict[str, object]]:
    return [row for path in sorted(out.glob("data/**/*.parquet")) for row in pq.read_table(path).to_pylist()]


def decode_address(address: str) -> np.ndarray:
    kind, _, data = address.partition(",")
    assert kind in ("data:image/jpeg;base64", "data:image/png;base64")
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)


def find_block(page: str, name: str) -> object:
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)[1])


def run(arguments: list[str]) -> int:
    """The exit code of the program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["sflow-pipeline", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
    return int(stop.value.code or 0)


def test_page_is_valid_and_self_contained(dataset: Path) -> None:
    page = read_page(dataset)
    outline = Outline(page)
    ids = [facts["id"] for _tag, facts in outline.tags if "id" in facts]
    assert len(ids) == len(set(ids))
    assert not any("style" in facts for _tag, facts in outline.tags)
    addresses = [facts[name] for _tag, facts in outline.tags for name in ("src", "href", "action") if name in facts]
    assert len(addresses) >= 2 * 3
    assert all(decode_address(address).shape[1] == 64 for address in addresses)
    assert not re.search(r"https?://", page)


def test_policy_allows_the_page_s_own_script_alone(dataset: Path) -> None:
    page = read_page(dataset)
    policy = next(facts["content"] for _tag, facts in Outline(page).tags if "http-equiv" in facts)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_numbers_are_those_of_the_rows(wide_dataset: Path) -> None:
    page, rows = read_page(wide_dataset), read_rows(wide_dataset)
    text = Outline(page).join_text()
    assert "12 rows of 6 frames, 0 quarantined" in text
    scores = [float(row["edge_f1"]) for row in rows]
    assert f"mean {np.mean(scores):.3f}, median {np.median(scores):.3f}, 12 rows" in text
    assert sum(int(count) for count in re.findall(r": (\d+) rows</title>", page)) == 12
    cards = {facts["id"]: facts for facts in find_block(page, "facts")["frames"]}
    assert len(cards) == 6
    for row in rows:
        caption = {name: value for name, value, _fault in cards[row["sample_id"]]["captions"][row["variant"]]}
        assert caption["edge_f1"] == f"{row['edge_f1']:.3f}"
    for name, facts in cards.items():
        assert facts["worst"]["edge_f1"] == min(float(row["edge_f1"]) for row in rows if row["sample_id"] == name)


def test_variants_keep_their_numbers_where_one_is_missing(wide_dataset: Path) -> None:
    folder = Folder(str(wide_dataset))
    manifest = load_manifest(folder)
    shard = manifest.shards[0]
    table = pq.read_table(wide_dataset / shard.path)
    name = table["sample_id"][0].as_py()
    is_kept = pc.or_(pc.not_equal(table["sample_id"], name), pc.not_equal(table["variant"], 0))
    pq.write_table(table.filter(is_kept), wide_dataset / shard.path)
    write_manifest(folder, replace(manifest, shards=(replace(shard, rows=shard.rows - 1), *manifest.shards[1:])))
    write_report_page(str(wide_dataset))
    page = read_page(wide_dataset)
    cards = {facts["id"]: facts["variants"] for facts in find_block(page, "facts")["frames"]}
    assert cards.pop(name) == [1] and set(map(tuple, cards.values())) == {(0, 1)}
    captions = Counter(re.findall(r"<figcaption>(converted[^<]*)", page))
    assert captions == {"converted, variant 0": 5, "converted, variant 1": 6}


def test_scores_of_the_gate_are_shown_and_failed_frames_come_first(wide_dataset: Path) -> None:
    failed, checks = read_rows(wide_dataset)[5]["sample_id"], "miou, <i>clipped"
    for path in wide_dataset.glob("data/**/*.parquet"):
        table = pq.read_table(path)
        is_failed = [name == failed for name in table["sample_id"].to_pylist()]
        columns = {
            "miou": pa.array([0.25 if bad else 0.5 for bad in is_failed], pa.float32()),
            "clipped": pa.array([0.75 if bad else 0.125 for bad in is_failed], pa.float32()),
            "weakest_class": pa.array(["sign" if bad else None for bad in is_failed]),
            "failed_checks": pa.array([checks if bad else None for bad in is_failed]),
        }
        for name, values in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, values)
        pq.write_table(table, path)
    write_report_page(str(wide_dataset), sample=3)
    outline = Outline(read_page(wide_dataset))
    text = re.sub(r"\s+", " ", outline.join_text())
    assert failed in text
    assert "miou 0.250" in text
    assert f"failed_checks {checks}" in text
    frames = {facts["id"]: facts for facts in find_block(read_page(wide_dataset), "facts")["frames"]}
    assert frames[failed]["worst"]["clipped"] == 0.75
    assert frames[failed]["texts"] == {"weakest_class": ["sign"], "failed_checks": ["<i>clipped", "miou"]}
    options = [facts.get("value") for tag, facts in outline.tags if tag == "option"]
    assert {"sign", "miou", "<i>clipped", "+miou", "-clipped"} <= set(options)


def test_class_shares_are_those_of_the_labels(wide_dataset: Path) -> None:
    labels = [
        cv2.imdecode(np.frombuffer(row["label"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
        for row in read_rows(wide_dataset)
    ]
    counts = np.bincount(np.concatenate([label.ravel() for label in labels]), minlength=256)
    table = re.search(r"<h2>Classes</h2>.*?</table>", read_page(wide_dataset), re.DOTALL)[0]
    found = re.findall(r'<td class="n">(\d+)</td><td>[^<]*</td><td class="n">([\d.]+%)</td>', table)
    assert {int(name): share for name, share in found} == {
        int(name): f"{counts[int(name)] / counts.sum():.2%}" for name, _share in found
    }


def test_full_size_pictures_are_the_dataset_s(wide_dataset: Path) -> None:
    page = read_page(wide_dataset)
    rows = {(row["sample_id"], row["variant"]): row for row in read_rows(wide_dataset)}
    for number, facts in enumerate(find_block(page, "facts")["frames"]):
        full = find_block(page, f"full-{number}")
        assert list(full) == ["image0", "image1", "render", "label"]
        for variant in (0, 1):
            stored = np.frombuffer(rows[facts["id"], variant]["image"]["bytes"], np.uint8)
            expected = cv2.imdecode(stored, cv2.IMREAD_COLOR_RGB).astype(float)
            assert abs(decode_address(full[f"image{variant}"]) - expected).mean() < 12  # JPEG


def test_names_from_data_are_text(hostile_dataset: Path) -> None:
    page = read_page(hostile_dataset)
    outline = Outline(page)
    assert [tag for tag, _facts in outline.tags].count("script") == 1 + 1 + 2  # script, facts, two full-size frames
    assert not any(name.startswith("on") for _tag, facts in outline.tags for name in facts)
    text = outline.join_text()
    assert HOSTILE_SEQUENCE in text
    assert HOSTILE_CLASS in text
    assert HOSTILE_CLASS in find_block(page, "facts")["frames"][0]["classes"]


def test_page_keeps_its_size_limit(wide_dataset: Path) -> None:
    whole = len(read_page(wide_dataset))
    for limit in (60_000, 75_000, whole - 30_000):
        write_report_page(str(wide_dataset), limit_bytes=limit)
        page = read_page(wide_dataset)
        assert len(page.encode()) <= limit
        Outline(page)
    assert "did not fit into the page" in page or "of them open at full size" in page


def test_command_shows_as_many_frames_as_asked(wide_dataset: Path) -> None:
    assert run(["report", str(wide_dataset), "--sample", "4"]) == 0
    page = read_page(wide_dataset)
    shown = [facts["id"] for facts in find_block(page, "facts")["frames"]]
    assert 3 <= len(shown) <= 4
    scores = {}
    for row in read_rows(wide_dataset):
        scores.setdefault(row["sample_id"], []).append(row["edge_f1"])
    assert min(scores, key=lambda name: min(scores[name])) in shown


def test_left_out_frames_are_shown_where_they_can_be_read(dataset: Path, tmp_path: Path) -> None:
    page = read_page(dataset)
    part = page.partition("Left out</h2>")[2].partition("</section>")[0]
    stored = pq.read_table(next(dataset.glob("quarantine/**/*.parquet"))).to_pylist()[0]
    assert f"<td>{stored['reason']}</td><td>frames</td><td>1</td>" in part
    assert 'alt="label"' in part  # its picture is empty, its label is not
    assert 'alt="rendered"' not in part
    (tmp_path / "sim").rename(tmp_path / "moved")
    write_report_page(str(dataset))
    assert 'alt="label"' not in read_page(dataset).partition("Left out</h2>")[2].partition("</section>")[0]


def test_a_refused_image_that_is_damaged_is_not_shown(dataset: Path) -> None:
    path = next(dataset.glob("quarantine/**/*.parquet"))
    table = pq.read_table(path)
    rows = [{**row, "image": {"bytes": b"half a file", "path": "0.png"}} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    write_report_page(str(dataset))
    part = read_page(dataset).partition("Left out</h2>")[2].partition("</section>")[0]
    assert 'alt="label"' in part and 'alt="converted"' not in part


def test_left_out_files_are_counted_by_reason(dataset: Path, tmp_path: Path, random_bundle: Path) -> None:
    next((tmp_path / "sim").glob("*/rgb/000000.png")).unlink()
    job = f"convert {tmp_path / 'sim'} {dataset} --bundle {random_bundle} --max-bad-fraction 1 --precision fp32"
    run(job.split())
    table = read_page(dataset).partition("Left out</h2>")[2].partition("</table>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in table.split("</tr>")]
    counted = {row[0]: (row[1], int(row[2])) for row in rows if row}
    stored = pq.read_table(next((dataset / "quarantine").glob("left_out-*.parquet")))["reason"].to_pylist()
    assert stored
    assert {reason: n for reason, (of, n) in counted.items() if of == "files of no frame"} == dict(Counter(stored))


def test_stated_command_makes_the_dataset_again(wide_dataset: Path, tmp_path: Path, random_bundle: Path) -> None:
    text = Outline(read_page(wide_dataset)).join_text()
    words = shlex.split(next(line for line in text.splitlines() if line.startswith("sflow-pipeline convert")))
    assert "--variants" in words
    again = tmp_path / "again"
    words[words.index("OUT_DIR")] = str(again)
    words[words.index("--bundle") + 1] = str(random_bundle)  # its name is not in models/
    assert run(words[1:]) == 0
    manifests = [json.loads((out / "manifest.json").read_text()) for out in (wide_dataset, again)]
    assert manifests[0] == manifests[1]


def test_stated_command_lifts_the_limits_that_were_lifted(tmp_path: Path, random_bundle: Path) -> None:
    write_sample_dump(tmp_path / "sim", sequences=1, frames=2, size=(64, 32), workers=1)
    next((tmp_path / "sim").glob("*/rgb/000000.png")).write_bytes(b"no picture")
    job = f"convert {tmp_path / 'sim'} {tmp_path / 'out'} --bundle {random_bundle} --max-bad-fraction 0.5 -q"
    assert run(job.split()) == 3
    text = Outline(read_page(tmp_path / "out")).join_text()
    words = shlex.split(next(line for line in text.splitlines() if line.startswith("sflow-pipeline convert")))
    words[words.index("OUT_DIR")] = str(tmp_path / "again")
    words[words.index("--bundle") + 1] = str(random_bundle)
    assert run(words[1:]) == 3


def test_stated_command_names_new_splits_as_two_words(tmp_path: Path, random_bundle: Path) -> None:
    write_sample_dump(tmp_path / "sim", sequences=2, frames=2, size=(64, 32), workers=1)
    job = f"convert {tmp_path / 'sim'} {tmp_path / 'out'} --bundle {random_bundle} --split-by sequence 0.5/0.5 -q"
    assert run(job.split()) == 0
    assert "--split-by sequence 0.5/0.5" in Outline(read_page(tmp_path / "out")).join_text()


def test_a_shard_that_can_be_read_in_part_has_no_scores(dataset: Path) -> None:
    contents = load_contents(str(dataset))
    shard = contents.shards[0]
    # The manifest knows of a row more than the file has.
    listed = replace(contents, manifest=replace(contents.manifest, shards=[replace(shard, rows=shard.rows + 1)]))
    index = index_scores(listed)
    assert index.frames == () and len(index.unreadable) == 1
    assert all(np.isnan(values).all() for values in (*index.scores.values(), *index.origins.values()))
    assert not any(any(values) for values in index.texts.values())


def test_results_of_evaluate_are_what_the_terminal_says(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    job = f"evaluate {dataset} --reference {tmp_path / 'sim'} --judge {ROOT / 'models/sflow'} --limit 1"
    assert run(job.split()) == 0  # the second picture of the reference is damaged
    printed = capsys.readouterr().out
    text = Outline(read_page(dataset)).join_text()
    lines = printed.splitlines()
    cells = [cell.strip() for line in lines if line.startswith("|") for cell in line.strip("|").split("|")]
    assert any("miou of oracle" in cell for cell in cells)
    assert [cell for cell in cells if "[" in cell and cell not in text] == []
    remarks = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert len(remarks) > 3
    assert [remark for remark in remarks if remark not in text] == []


def test_results_of_others_are_escaped_or_left_out(dataset: Path) -> None:
    metrics = {"protocol": {}, "rows": [{"name": "<i>out", "classes": [{"name": "<i>car", "iou": 0.25}]}, 3]}
    table = {"head": ["<i>head"], "lines": [["<i>cell"], "no line", [None]]}
    place = dataset / "report" / "metrics.json"
    place.write_text(json.dumps(metrics | {"table": table, "remarks": ["<i>remark", 7]}))
    (dataset / "report" / "comparison.json").write_text('{"rows": [')
    write_report_page(str(dataset))
    page = read_page(dataset)
    assert "<i>" not in page
    text = Outline(page).join_text()
    assert all(f"<i>{word}" in text for word in ("head", "cell", "remark", "out", "car"))
    place.write_text(json.dumps(metrics | {"table": {"head": 3}}))
    write_report_page(str(dataset))
    assert "evaluate again" in read_page(dataset)


def test_verify_is_reported_until_the_dataset_changes(dataset: Path, tmp_path: Path, random_bundle: Path) -> None:
    assert "Not checked since it was written" in read_page(dataset)
    assert run(["verify", str(dataset)]) == 0
    assert "Last check: sound; 2 rows in 1 shards, 2 labels equal to their source." in read_page(dataset)
    shard = next(dataset.glob("data/**/*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-9])
    assert run(["verify", str(dataset)]) == 1
    damaged = Outline(read_page(dataset)).join_text()
    assert "problems;" in damaged
    assert shard.name in damaged
    job = f"convert {tmp_path / 'sim'} {dataset} --bundle {random_bundle} --max-bad-fraction 1 --precision fp32"
    run([*job.split(), "--variants", "2"])
    assert "Not checked since it was written" in read_page(dataset)


def test_each_run_s_speed_is_a_line(wide_dataset: Path, tmp_path: Path, random_bundle: Path) -> None:
    runs = json.loads((wide_dataset / "report" / "runs.json").read_text())["runs"]
    assert [run["frames"] for run in runs] == [6]
    for variants in (2, 3):  # the first has nothing to do
        options = {"bundle": random_bundle, "precision": "fp32", "workers": 1, "variants": variants}
        sflow_pipeline.convert(tmp_path / "wide", wide_dataset, show_progress=False, max_bad_fraction=1.0, **options)
    runs = json.loads((wide_dataset / "report" / "runs.json").read_text())["runs"]
    assert [run["frames"] for run in runs] == [6, 6]
    page = read_page(wide_dataset)
    assert "<h2>Throughput</h2>" in page
    assert f"<td>{runs[1]['frames'] / runs[1]['seconds']:,.2f}</td>" in page
    (wide_dataset / "report" / "runs.json").write_text('{"runs": [{"frames": "<b>"}]}')
    write_report_page(str(wide_dataset))
    assert "Throughput" not in read_page(wide_dataset)
