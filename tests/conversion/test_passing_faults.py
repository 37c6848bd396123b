"""What passes is tried again: files that could not be read, state that was damaged, a folder that lost shards."""

import errno
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage import filesystem
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import LOCK_PATH

RENDER = "street_0000/rgb/000001.png"


@pytest.fixture
def sim(street_dump: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(street_dump, tmp_path / "sim"))


@pytest.fixture
def run(sim: Path, tmp_path: Path, random_bundle: Path):
    def start(**fields):
        places = {"sim_dir": str(sim), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        options = {"workers": 1, "shard_frames": 3, "precision": "fp32", "max_bad_fraction": 0.9, "smooth": 0.0}
        return convert(build_job({**places, **options, **fields}))

    return start


def _read_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _read_labels(root: Path) -> dict[str, bytes]:
    tables = [pq.read_table(path, columns=["sample_id", "label"]) for path in (root / "data").rglob("*.parquet")]
    return {row["sample_id"]: row["label"]["bytes"] for table in tables for row in table.to_pylist()}


@pytest.mark.parametrize(
    "number",
    # The last two: a FIFO or a folder where the listing found a file.
    [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOENT, errno.ETIMEDOUT, errno.EINVAL, errno.EISDIR],
)
def test_errors_of_access_pass(run, sim: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run(out_dir=str(tmp_path / "undisturbed"))
    genuine = filesystem.read_regular
    fails = [True]

    def read(path: str) -> bytes:
        if fails[0] and path.endswith(RENDER):
            raise OSError(number, os.strerror(number), path)
        return genuine(path)

    monkeypatch.setattr(filesystem, "read_regular", read)
    assert run().quarantined == 1
    assert run().shards_converted == 1  # tried again, in vain
    fails[0] = False
    found = run()
    assert (found.quarantined, found.shards_converted) == (0, 1)
    assert run().shards_converted == 0
    assert _read_tree(tmp_path / "out") == _read_tree(tmp_path / "undisturbed")


def test_a_frame_that_colours_are_measured_on_is_tried_again_by_every_shard_of_its_drive(
    run, sim: Path, tmp_path: Path, appearance_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"bundle": str(appearance_bundle), "appearance": 1, "shard_frames": 2}
    run(out_dir=str(tmp_path / "undisturbed"), **fields)
    genuine = filesystem.read_regular
    fails = [True]

    def read(path: str) -> bytes:
        if fails[0] and path.endswith("street_0000/rgb/000000.png"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return genuine(path)

    monkeypatch.setattr(filesystem, "read_regular", read)
    assert run(**fields).quarantined == 1
    fails[0] = False
    found = run(**fields)
    shards = [
        pq.read_table(path)["sequence_id"].to_pylist() for path in (tmp_path / "undisturbed/data").rglob("*.parquet")
    ]
    of_the_drive = ["street_0000" in sequences for sequences in shards]
    assert (found.quarantined, found.shards_converted) == (0, sum(of_the_drive))
    assert 1 < sum(of_the_drive) < len(shards)
    assert _read_tree(tmp_path / "out") == _read_tree(tmp_path / "undisturbed")


@pytest.mark.slow
def test_errors_of_an_object_store_pass(run, sim: Path, tmp_path: Path, bucket, monkeypatch) -> None:
    run(out_dir=str(tmp_path / "undisturbed"))
    source = Folder(bucket.format("sim"))
    for path in Folder(str(sim)).list_files():
        source.write_bytes(path, (sim / path).read_bytes())
    fields = {"sim_dir": bucket.format("sim"), "content_hash": True}
    genuine = Folder.read_bytes
    fails = [0, 3]

    def read(self: Folder, path: str) -> bytes:
        if path == RENDER and not self.is_local:
            fails[0] += 1
            if fails[0] > fails[1]:  # once the listing and its digests are read
                raise OSError(f"When reading information for key '{path}': AWS Error INTERNAL_FAILURE")  # no number
        return genuine(self, path)

    monkeypatch.setattr(Folder, "read_bytes", read)
    while run(**fields).quarantined == 0:  # how often a picture is looked at before it is converted is no matter
        fails[:] = [0, fails[1] - 1]
        shutil.rmtree(tmp_path / "out")
    fails[:] = [0, 1 << 30]
    found = run(**fields)
    assert (found.quarantined, found.shards_converted) == (0, 1)
    assert _read_labels(tmp_path / "out") == _read_labels(tmp_path / "undisturbed")


@pytest.mark.parametrize("name", ["manifest.json", ".sflow/commits"])
def test_state_that_cannot_be_reached_is_not_taken_for_damaged(
    name: str, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    before = _read_tree(tmp_path / "out")
    genuine = filesystem.read_regular

    def read(path: str) -> bytes:
        if name in path:
            raise OSError(errno.EIO, "Input/output error", path)
        return genuine(path)

    monkeypatch.setattr(filesystem, "read_regular", read)
    with pytest.raises(OutputError, match="Input/output error") as caught:
        run()
    assert "restore access" in caught.value.hint
    monkeypatch.undo()
    after = _read_tree(tmp_path / "out")
    for tree in (before, after):  # each run leaves its own
        tree.pop(".sflow/status.json", None)
    assert after == before
    assert run().shards_converted == 0


def test_a_single_failure_is_not_even_noticed(run, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = filesystem.read_regular
    failed = set()

    def read(path: str) -> bytes:
        if "/rgb/" in path and path not in failed:
            failed.add(path)
            raise OSError(errno.EIO, "Input/output error", path)
        return genuine(path)

    monkeypatch.setattr(filesystem, "read_regular", read)
    assert run().quarantined == 0
    assert len(failed) > 1


def test_faults_of_content_stay_until_the_content_changes(run, sim: Path) -> None:
    path = sim / RENDER
    whole, facts = path.read_bytes(), path.stat()
    broken = whole[:60] + bytes([whole[60] ^ 255]) + whole[61:]
    path.write_bytes(broken)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert run().quarantined == 1
    assert run().shards_converted == 0  # the same bytes: nothing to try
    path.write_bytes(whole)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # size and time as before, the bytes are not
    found = run()
    assert (found.quarantined, found.shards_converted) == (0, 1)


def test_file_that_stays_away_is_not_looked_for_for_ever(run, sim: Path) -> None:
    (sim / RENDER).unlink()
    first = run()
    assert first.left_out + first.quarantined >= 1
    assert run().shards_converted == 0


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 100_000, b"null", b'{"key": 1}', bytes(range(256))])
@pytest.mark.parametrize("name", ["label_counts.parquet", "lock.json", "commit"])
def test_damaged_state_is_set_aside_and_made_again(run, tmp_path: Path, damage: bytes, name: str) -> None:
    out = tmp_path / "out"
    run()
    before = _read_tree(out)
    commits = sorted((out / ".sflow" / "commits").rglob("*.json"))
    damaged = commits[0] if name == "commit" else out / (LOCK_PATH if name == "lock.json" else f".sflow/{name}")
    damaged.write_bytes(damage)
    found = run()
    assert found.status == "clean"
    assert name == "lock.json" or any("damaged" in text for text in found.warnings)
    shutil.rmtree(out / ".sflow" / "damaged", ignore_errors=True)
    assert _read_tree(out) == before


@pytest.mark.parametrize("place", [0.02, 0.5, 0.97, 0.999])
def test_damaged_shard_is_made_again(run, tmp_path: Path, place: float) -> None:
    out = tmp_path / "out"
    run()
    before = _read_tree(out)
    shard = sorted((out / "data").rglob("*.parquet"))[0]
    data = bytearray(shard.read_bytes())
    data[int(place * len(data))] ^= 0x55
    shard.write_bytes(data)
    run(content_hash=False)
    verified = verify(out)
    if verified.problems:  # a flipped byte of a picture shows in digests alone
        assert run(resume=False).status == "clean"
    assert _read_tree(out) == before


def test_carried_text_with_line_separators_in_a_png_tree(run, sim: Path, tmp_path: Path) -> None:
    for path in (sim / "street_0000").rglob("*.json"):
        path.write_text('{"note": "a\u2028b\u2029c\u0085d\x0b"}', encoding="utf-8")
    (sim / "street_0001").rename(sim / "street\u0085x")
    first = run(format="png")
    pictures = sorted((tmp_path / "out" / "data").rglob("*.png"))
    assert pictures
    assert run(format="png").shards_converted == 0
    assert sorted((tmp_path / "out" / "data").rglob("*.png")) == pictures
    found = verify(tmp_path / "out")
    assert (found.problems, found.rows) == ((), first.rows)


def test_list_of_pictures_that_cannot_be_read_removes_nothing(run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(format="png")
    pictures = sorted((out / "data").rglob("*.png"))
    for path in (out / "data").rglob("*.jsonl"):
        path.write_bytes(path.read_bytes().replace(b'"sha256"', b'"sha256', 1))
    assert verify(out).problems
    found = run(format="png")
    assert found.shards_converted > 0
    assert sorted((out / "data").rglob("*.png")) == pictures
    assert verify(out).problems == ()


class _AtFirstShard:
    """Does something once the first shard is committed."""

    def __init__(self, act) -> None:
        self._act = act

    def __getattr__(self, _name: str):
        return lambda *_args, **_kwargs: None

    def on_shard(self, _record: object) -> None:
        act, self._act = self._act, lambda: None
        act()


@pytest.mark.parametrize("what", ["", "data", ".sflow"])
def test_folder_removed_midway_is_said(what: str, sim: Path, tmp_path: Path, random_bundle: Path) -> None:
    out = tmp_path / "out"
    places = {"sim_dir": str(sim), "out_dir": str(out), "bundle": str(random_bundle)}
    job = build_job({**places, "workers": 1, "shard_frames": 3, "precision": "fp32"})
    with pytest.raises(OutputError, match=r"vanished|removed or replaced"):
        convert(job, progress=_AtFirstShard(lambda: shutil.rmtree(out / what)))
    if what == ".sflow":  # as the hint says
        shutil.rmtree(out)
    assert convert(job).rows == 8
    assert verify(out).problems == ()


def test_second_run_with_other_settings_is_refused_or_found_out(sim: Path, tmp_path: Path, random_bundle: Path) -> None:
    out = tmp_path / "out"
    places = {"sim_dir": str(sim), "out_dir": str(out), "bundle": str(random_bundle)}
    common = {**places, "workers": 1, "shard_frames": 3, "precision": "fp32"}
    messages = []

    def start_other() -> None:
        with pytest.raises(OutputError) as refused:
            convert(build_job({**common, "seed": 7}))
        messages.append(refused.value.message)
        for lock in (out / ".sflow" / "lock", out / LOCK_PATH):
            lock.unlink()  # as a careless person, or a file system without locks
        convert(build_job({**common, "seed": 7}))

    with pytest.raises(OutputError, match=r"removed or replaced|another run|other settings"):
        convert(build_job(common), progress=_AtFirstShard(start_other))
    assert "another run" in messages[0]
    assert convert(build_job({**common, "seed": 7})).status == "clean"
    assert verify(out).problems == ()
