"""What the fuzz reads: small good inputs of every kind, made here, and how each is read in full."""

import contextlib
import hashlib
import json
import runpy
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sflow_pipeline.errors import FrameError, SflowError

_REFUSALS = (SflowError,)
_FILE_REFUSALS = (SflowError, OSError)
_SIZE = (64, 32)
#: Holds the path of the damaged file within the case.
DAMAGED = "damaged-file.txt"


@dataclass(frozen=True)
class Target:
    """A kind of input: ``make`` writes it, ``read`` reads all of it, ``after`` mends digests after the damage."""

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    weight: int = 1
    wants: Callable[[Path], bool] = lambda _path: True
    after: Callable[[Path, Path], object] = lambda _case, _path: None
    refusals: tuple[type[BaseException], ...] = _REFUSALS


def _make_dump(root: Path) -> None:
    from sflow_pipeline.street.write_dump import write_sample_dump

    write_sample_dump(root / "sim", sequences=1, frames=3, size=_SIZE, seed=4, workers=1)


def _make_layouts(root: Path) -> None:
    """Every layout that the tests of adapters imitate, each in a folder of its own."""
    folder = Path(__file__).resolve().parents[1] / "simulators" / "layouts"
    for path in sorted(folder.glob("*.py")):
        runpy.run_path(str(path))["write"](root / path.stem)


def _read_layouts(case: Path) -> None:
    """The layout that was damaged, known by the mark that the fuzz leaves."""
    name = (case / DAMAGED).read_text().split("/")[0].removesuffix("-labels.yaml")
    _read_dump(case, name, f"{case}/{name}-labels.yaml")


def _read_dump(case: Path, sim: str = "sim", own_space: str = "") -> None:
    from sflow_pipeline.columns import MODALITIES
    from sflow_pipeline.simulators import discover
    from sflow_pipeline.storage.image_codec import decode_plane, decode_rgb
    from sflow_pipeline.storage.instance_codec import decode_instance

    dump = discover(str(case / sim), label_space=own_space if own_space and Path(own_space).exists() else None)
    space = dump.load_label_space()
    assert space.classes
    for frame in dump.frames:
        assert ".." not in frame.sample_id
        with contextlib.suppress(FrameError, OSError):
            decode_rgb(dump.folder.read_bytes(frame.render), name=frame.render)
        with contextlib.suppress(FrameError, OSError):
            table = dump.folder.read_bytes(frame.label_table) if frame.label_table else None
            dump.label_format.read(dump.folder.read_bytes(frame.label), table, frame.label)
        for name in MODALITIES:
            path = getattr(frame, name, None)
            if path is None:
                continue
            with contextlib.suppress(FrameError, OSError):
                data = dump.folder.read_bytes(path)
                if name == "instance":
                    decode_instance(data, name=path)
                elif path.endswith(".png"):
                    decode_plane(data, name=path)


def _pack(kind: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        _make_dump(root)
        sim = root / "sim"
        sequence = next(path for path in sim.iterdir() if path.is_dir())
        files = sorted(path for path in sequence.rglob("*") if path.is_file())
        target = sim / f"{sequence.name}.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in files:
                    archive.write(path, path.relative_to(sequence))
        else:
            with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
                for path in files:
                    info = archive.gettarinfo(path, str(path.relative_to(sequence)))
                    info.pax_headers = {"mtime": "1700000000.5", "comment": "é"}
                    with path.open("rb") as file:
                        archive.addfile(info, file)
        shutil.rmtree(sequence)

    return make


def _make_hdf5(root: Path) -> None:
    import h5py

    draw = np.random.default_rng(0)
    for number in range(2):
        with h5py.File(root / f"{number}.hdf5", "w") as file:
            file["colors"] = draw.integers(0, 255, (32, 64, 3), np.uint8)
            file.create_dataset("segmap", data=draw.integers(0, 9, (32, 64), np.uint8), chunks=(16, 16), compression=4)
            file["depth"] = draw.random((32, 64), np.float32)
            file["note"] = json.dumps([{"category_id": 1}])


def _read_archives(case: Path) -> None:
    from sflow_pipeline.archives import open_archive

    for path in sorted(case.iterdir()):
        archive = open_archive(str(path))
        for member in archive.marks:
            with contextlib.suppress(OSError):
                archive.read(member)


def _make_video(root: Path) -> None:
    import av

    with av.open(str(root / "town_rgb.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "bgr0"
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), number * 40, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


_RECORDS = {
    "airsim_rec.txt": "VehicleName\tTimeStamp\tPOS_X\tImageFile\nCar\t1\t0.5\ta.png;b.png\nCar\t2\t0.6\tc.png;d.png\n",
    "coco_annotations.json": json.dumps(
        {
            "images": [{"id": 0, "file_name": "rgb/0.png", "height": 4, "width": 4}],
            "categories": [{"id": 1, "name": "car"}],
            "annotations": [
                {"id": 1, "image_id": 0, "category_id": 1, "segmentation": {"counts": [3, 5, 8], "size": [4, 4]}}
            ],
        }
    ),
    "det_2d.json": json.dumps(
        {"frames": [{"name": "0.png", "videoName": "a", "frameIndex": 0, "labels": [{"id": "1"}]}], "config": {}}
    ),
    "bbox.txt": "frame cameraID trackID left right\n0 0 1 2 3\n1 0 1 2 3\n",
    "extrinsic.txt": "frame cameraID r r r r r r r r r r r r r r r r\n0 0 " + " ".join("1" * 16) + "\n",
}


def _make_records(root: Path) -> None:
    for name, text in _RECORDS.items():
        (root / name).write_text(text)


_JOB = "sim_dir: a\nout_dir: b\nsize: 64x32\nalpha: [even, crisp]\nvariants: 2\ninclude: [edge, depth]\nseed: 3\n"


def _make_yaml(root: Path) -> None:
    import sflow_pipeline

    package = Path(sflow_pipeline.__file__).parent
    (root / "job.yaml").write_text(_JOB)
    shutil.copy(package / "label_spaces" / "data" / "camvid11.yaml", root / "space.yaml")
    (root / "dataset.yaml").write_text(
        "label_space: cityscapes19\nfps: 10\nunits: {depth: m}\nsplit: {a: val, b: train}\n"
    )
    shutil.copy(package.parent / "models" / "sflow" / "recipe.yaml", root / "recipe.yaml")


def _read_yaml_files(case: Path) -> None:
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.config.steps import load_job_file
    from sflow_pipeline.label_spaces import load_label_space
    from sflow_pipeline.simulators.stated_facts import read_stated_facts

    for read in (
        lambda: load_job_file(case / "job.yaml"),
        lambda: load_label_space(case / "space.yaml"),
        lambda: read_stated_facts(str(case)),
        lambda: load_recipe(case / "recipe.yaml"),
    ):
        with contextlib.suppress(SflowError):
            read()


def _make_pictures(root: Path) -> None:
    import cv2

    from sflow_pipeline.storage.image_codec import encode_label, encode_rgb, encode_uint16

    draw = np.random.default_rng(0)
    rgb = draw.integers(0, 255, (32, 64, 3), np.uint8)
    (root / "a.png").write_bytes(encode_rgb(rgb))
    (root / "b.png").write_bytes(encode_label(draw.integers(0, 19, (32, 64), np.uint8)))
    (root / "c.png").write_bytes(encode_uint16(draw.integers(0, 60000, (32, 64), np.uint16)))
    (root / "d.jpg").write_bytes(cv2.imencode(".jpg", rgb)[1].tobytes())
    np.save(root / "e.npy", draw.random((32, 64), np.float32))


def _read_pictures(case: Path) -> None:
    from sflow_pipeline.storage.array_codec import decode_array
    from sflow_pipeline.storage.image_codec import decode_label, decode_plane, decode_rgb

    for path in sorted(case.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".npy":
            reads: list[Callable[[], Any]] = [lambda data=data: decode_array(data, "e.npy")]
        else:
            reads = [
                lambda data=data: decode_rgb(data),
                lambda data=data: decode_rgb(data, check_first=False),
                lambda data=data: decode_plane(data),
                *(lambda data=data, kind=kind: decode_label(data, kind) for kind in ("ids", "red_channel", "palette")),
            ]
        for read in reads:
            with contextlib.suppress(FrameError):
                read()


def _make_bundle(root: Path) -> None:
    from sflow_pipeline.bundle import build_random_bundle

    build_random_bundle(root / "bundle", seed=3)


def _mend_bundle(case: Path, path: Path) -> None:
    """Every second time, as if the damage had been there when the bundle was written."""
    facts = case / "bundle" / "bundle.yaml"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix == ".safetensors" and int(digest[0], 16) % 2:
        lines = facts.read_text().splitlines()
        facts.write_text("\n".join(f"weights_sha256: {digest}" if "weights_sha" in line else line for line in lines))


def _read_bundle(case: Path) -> None:
    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.bundle.translator import Translator

    Translator(load_bundle(case / "bundle"), "cpu", "fp32")


class _State:
    """The least that a checkpoint can hold."""

    fixed: ClassVar[dict[str, Any]] = {"name": True}

    def __init__(self) -> None:
        import torch

        from sflow_pipeline.config.recipe import Recipe

        self.recipe = Recipe.model_validate({"name": "x"})
        self.images_seen = 5
        self.provenance = {"--data": "a"}
        self._tensors = {"generator/a": torch.arange(12.0).reshape(3, 4)}

    def to_tensors(self) -> dict[str, Any]:
        return self._tensors

    def from_tensors(self, tensors: dict[str, Any], images_seen: int) -> None:  # noqa: ARG002
        self._tensors = {name: tensors[name] for name in self._tensors}


def _make_checkpoints(root: Path) -> None:
    from sflow_pipeline.training.run.checkpoint import save_checkpoint

    state = _State()
    for images in (5, 6):
        state.images_seen = images
        save_checkpoint(state, root)


def _mend_checkpoint(_case: Path, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.suffix == ".safetensors" and int(digest[0], 16) % 2:
        path.with_suffix(".sha256").write_text(digest)


def _read_checkpoints(case: Path) -> None:
    from sflow_pipeline.training.run.checkpoint import load_newest_checkpoint

    load_newest_checkpoint(_State(), case)


def _make_photo_set(root: Path) -> None:
    from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts, pack_photo_set

    draw = np.random.default_rng(0)
    photos = (
        PhotoEntry(
            PhotoFacts(f"a/{number}", "a", number),
            draw.integers(0, 255, (8, 16, 3), np.uint8),
            draw.integers(0, 9, (8, 16), np.uint8),
            draw.integers(0, 9, (8, 16), np.uint16),
        )
        for number in range(3)
    )
    pack_photo_set(photos, root / "photos")


def _read_photo_set(case: Path) -> None:
    from sflow_pipeline.training.data.photo_set import PhotoSet

    photos = PhotoSet(case / "photos")
    for number in range(len(photos)):
        photos.read(number)
        if photos.has_instances:
            photos.read_instances(number)
    photos.find_pairs()


def _make_dataset(file_format: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        from sflow_pipeline.bundle import build_random_bundle

        _make_dump(root)
        build_random_bundle(root / "bundle", seed=3)
        _convert(root, file_format)

    return make


def _convert(root: Path, file_format: str, **fields: Any) -> None:
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.convert import convert

    places = {"sim_dir": str(root / "sim"), "out_dir": str(root / "out"), "bundle": str(root / "bundle")}
    convert(
        build_job({**places, "workers": 1, "shard_frames": 2, "precision": "fp32", "format": file_format, **fields})
    )


def _read_dataset(file_format: str) -> Callable[[Path], None]:
    def read(case: Path) -> None:
        from sflow_pipeline.conversion.verify import verify
        from sflow_pipeline.dataset.contents import load_contents
        from sflow_pipeline.dataset.sample_dataset import open_dataset

        with contextlib.suppress(SflowError):
            for row in load_contents(str(case / "out")).read_rows():
                for column in ("image", "label", "depth", "instance"):
                    with contextlib.suppress(FrameError, KeyError):
                        row.decode(column)
        with contextlib.suppress(SflowError):
            dataset = open_dataset(str(case / "out"))
            for index in range(len(dataset)):
                _ = dataset[index]
        with contextlib.suppress(SflowError):
            verify(case / "out", source=case / "sim")
        shutil.rmtree(case / "out" / "report", ignore_errors=True)
        before = {path for path in case.parent.rglob("*") if not path.is_relative_to(case)}
        _convert(case, file_format)  # the way out that errors name
        if verify(case / "out", source=case / "sim").problems:  # bytes that changed and nothing else
            _convert(case, file_format, resume=False)
        assert before == {path for path in case.parent.rglob("*") if not path.is_relative_to(case)}
        found = verify(case / "out", source=case / "sim")
        assert not found.problems, found.problems
        assert found.labels_compared == 3, found.labels_compared

    return read


def _is_of_dataset(path: Path) -> bool:
    return "out" in path.parts and path.name != "README.md"


TARGETS = (
    Target("pictures", _make_pictures, _read_pictures, 6),
    Target("yaml", _make_yaml, _read_yaml_files, 6),
    Target("dump", _make_dump, _read_dump, 3),
    Target("layouts", _make_layouts, _read_layouts, 6),
    Target("zip", _pack("zip"), _read_dump, 3, lambda path: path.suffix == ".zip"),
    Target("tar", _pack("tar"), _read_dump, 3, lambda path: path.suffix == ".tar"),
    Target("hdf5", _make_hdf5, _read_archives, 4, refusals=_FILE_REFUSALS),
    Target("video", _make_video, _read_archives, 2, refusals=_FILE_REFUSALS),
    Target("records", _make_records, _read_archives, 3, refusals=_FILE_REFUSALS),
    Target("bundle", _make_bundle, _read_bundle, 2, after=_mend_bundle),
    Target("checkpoint", _make_checkpoints, _read_checkpoints, 2, after=_mend_checkpoint),
    Target("photo-set", _make_photo_set, _read_photo_set, 2, lambda path: path.suffix == ".json"),
    Target("dataset-parquet", _make_dataset("parquet"), _read_dataset("parquet"), 1, _is_of_dataset),
    Target("dataset-png", _make_dataset("png"), _read_dataset("png"), 1, _is_of_dataset),
)
