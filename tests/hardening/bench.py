"""What runs under fire are compared with: a small dump and its undisturbed datasets; and the counts of a comparison."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers import Driver, digest_picture, in_child

PATIENCE_S = 900.0
_GONE_S = 30.0
#: Another value of a setting that decides every picture.
OTHER_SEED = "7"
#: Without smoothing, for which shards paint frames of their neighbours, a frame that is painted twice was begun twice.
_COMMON = ("--shard-frames", "2", "--precision", "fp32", "--max-bad-fraction", "0.9", "--content-hash", "--smooth", "0")


@dataclass
class Outcome:
    """What a run under fire left.

    Attributes:
        starts: drivers that were started.
        killed: processes that paint frames and were killed.
        redone: shards that were painted more than once, counted once for every further time.
        lost, doubled, labels_changed: frames.
        left: processes that are left half a minute after the last driver.
        faults: what is wrong, in words.
    """

    starts: int = 0
    killed: int = 0
    redone: int = 0
    lost: int = 0
    doubled: int = 0
    labels_changed: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list)


class Bench:
    """A dump of twelve frames in six shards, a random bundle, and the undisturbed datasets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sim, self.bundle = root / "sim", root / "bundle"
        in_child(self._make)
        self.labels = {
            path.relative_to(self.sim).as_posix(): path.read_bytes() for path in self.sim.glob("*/semantic/*")
        }
        self.sample_ids = sorted(f"{path.parts[0]}/{Path(path.parts[2]).stem}" for path in map(Path, self.labels))
        self._shards: dict[str, str] = {}
        self.undisturbed: dict[tuple[str, str], dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}
        for file_format in ("parquet", "png"):
            for seed in ("0", OTHER_SEED):
                self._convert_undisturbed(file_format, seed)

    def start(
        self, sim: str | Path, out: str | Path, folder: Path, *extra: str, seed: str = "0", **facts: Any
    ) -> Driver:
        """A driver of these folders; its log and the list of painted frames are in ``folder``."""
        places = (str(sim), str(out), "--bundle", str(self.bundle), "--seed", seed)
        workers = () if "--workers" in extra else ("--workers", "1")
        return Driver((*places, *_COMMON, *workers, *extra), folder / "log", folder / "painted", **facts)

    def count_redone(self, painted: Path) -> int:
        """Shards that were begun more than once, counted once for every further time."""
        begun = {
            (line.split()[0], self._shards[line.split()[1]])
            for line in (painted.read_text().splitlines() if painted.exists() else ())
            if line.split()[1] in self._shards
        }
        return sum(count - 1 for count in Counter(shard for _pid, shard in begun).values())

    def compare(self, files: Mapping[str, bytes], file_format: str, outcome: Outcome, seed: str = "0") -> None:
        """Note frames lost and doubled, labels changed, and bytes that are not as undisturbed."""
        rows = _read_rows(files, file_format)
        counts = Counter(sample_id for sample_id, _path, _label in rows)
        outcome.lost += sum(counts[sample_id] == 0 for sample_id in self.sample_ids)
        outcome.doubled += sum(max(0, count - 1) for count in counts.values())
        outcome.labels_changed += sum(self.labels.get(path) != label for _id, path, label in rows)
        expected = self.undisturbed[file_format, seed]
        if files != expected:
            names = sorted(name for name in {*files, *expected} if files.get(name) != expected.get(name))
            outcome.faults.append(f"differs from the undisturbed dataset: {', '.join(names[:4])}")

    def _make(self) -> None:
        from sflow_pipeline.bundle import build_random_bundle
        from sflow_pipeline.street.write_dump import write_sample_dump

        write_sample_dump(self.sim, sequences=2, frames=6, size=(96, 48), seed=4, workers=1)
        build_random_bundle(self.bundle, seed=3)

    def _convert_undisturbed(self, file_format: str, seed: str) -> None:
        folder = self.root / f"undisturbed-{file_format}-{seed}"
        folder.mkdir()
        started = time.monotonic()
        code = self.start(self.sim, folder / "out", folder, "--format", file_format, seed=seed).wait(PATIENCE_S)
        self.seconds[file_format] = time.monotonic() - started
        if code:
            raise RuntimeError(f"the undisturbed run ends with {code}: {(folder / 'log').read_text()[-2000:]}")
        self.undisturbed[file_format, seed] = read_tree(folder / "out")
        if file_format == "parquet":
            self._learn_shards(folder / "out")

    def _learn_shards(self, out: Path) -> None:
        import cv2
        import pyarrow.parquet as pq

        for path in sorted((out / "data").rglob("*.parquet")):
            for row in pq.read_table(path, columns=["source_uri"]).to_pylist():
                picture = cv2.imread(str(self.sim / row["source_uri"]))[..., ::-1]
                self._shards[digest_picture(picture)] = path.name.rpartition("-")[0]


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file of a local dataset that is not about the run itself; see ``keep_content``."""
    return keep_content(
        {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    )


def keep_content(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A dataset's files without report, lock and set-aside state, and its manifest without the places of the run."""
    left_out = (".sflow/damaged", ".sflow/lock", ".sflow/settings", ".sflow/status", "report/")
    kept = {name: data for name, data in files.items() if not name.startswith(left_out)}
    manifest = json.loads(kept.get("manifest.json", b"{}"))
    manifest.get("source", {}).pop("root", None)
    manifest.get("job", {}).pop("sim_dir", None)
    manifest.pop("manifest_sha256", None)  # of the places, too; `verify` compares it
    return {**kept, "manifest.json": json.dumps(manifest, sort_keys=True).encode()}


def count_left(drivers: Sequence[Driver], name: str = "") -> int:
    """Processes of the drivers' sessions, and those called ``name``, that are left after half a minute."""
    sessions = {driver.pid for driver in drivers}
    end = time.monotonic() + _GONE_S
    while True:
        left = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
                is_called = bool(name) and name.encode() in path.with_name("cmdline").read_bytes()
            except OSError:
                continue
            left += fields[0] != "Z" and (int(fields[3]) in sessions or is_called)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def list_files(root: Path) -> list[Path]:
    """Files below a folder, also while others write there."""
    return [Path(folder) / name for folder, _folders, names in os.walk(root) for name in names]


def _read_rows(files: Mapping[str, bytes], file_format: str) -> list[tuple[str, str, bytes]]:
    """(sample id, path of the label, its bytes) of every row, read with pyarrow and json alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for name, data in files.items():
        if not name.startswith("data/"):
            continue
        if file_format == "parquet" and name.endswith(".parquet"):
            columns = ["sample_id", "label"]
            table = pq.read_table(pa.BufferReader(data), columns=columns, use_threads=False).to_pylist()
            rows += [(row["sample_id"], row["label"]["path"], row["label"]["bytes"]) for row in table]
        elif file_format == "png" and name.endswith(".jsonl"):
            for line in data.split(b"\n")[:-1]:
                row = json.loads(line)
                rows.append((row["sample_id"], row["label"]["source"], files.get(row["label"]["path"], b"")))
    return rows
