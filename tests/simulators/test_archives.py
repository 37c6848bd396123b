"""Archives read as folders: the same frames and bytes as the unpacked dump, and nothing from outside."""

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import h5py
import numpy as np
import pyarrow.fs as pafs
import pytest

from sflow_pipeline.archives import ArchiveError, open_archive
from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.local_file import FileFacts

MakeTree = Callable[[list[str]], Path]
NAMES = ["a/rgb/0.png", "a/rgb/1.png", "a/semantic/0.png", "a/semantic/1.png", "dataset.yaml"]


def pack(root: Path, suffix: str) -> Path:
    """The folder as an archive beside it."""
    packed = root.parent / f"packed{suffix}"
    if suffix in (".zip", ".tar"):
        shutil.make_archive(str(packed.with_suffix("")), suffix[1:], root)
        return packed
    with h5py.File(packed, "w") as file:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                file[path.relative_to(root).as_posix()] = np.frombuffer(path.read_bytes(), np.uint8)
    return packed


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".hdf5", ".h5"])
def test_a_packed_dump_has_the_frames_and_bytes_of_the_unpacked_one(make_tree: MakeTree, suffix: str) -> None:
    root = make_tree(NAMES)
    (root / "dataset.yaml").write_text("label_space: camvid11")
    (root / "a/rgb/1.png").write_bytes(os.urandom(5000))
    packed = pack(root, suffix)
    plain, archived = discover(str(root)), discover(str(packed))
    assert archived.frames == plain.frames
    assert len(archived.frames) == 2
    assert archived.problems == ()
    folder = Folder(str(packed))
    assert folder.read_bytes("a/rgb/1.png") == (root / "a/rgb/1.png").read_bytes()
    assert [fact.size_bytes for fact in folder.stat(["a/rgb/1.png", "a/rgb/7.png"])] == [5000, -1]
    with pytest.raises(FileNotFoundError):
        folder.read_bytes("a/rgb/7.png")


def test_an_archive_inside_a_dump_is_a_folder_of_its_name(make_tree: MakeTree) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png"])
    shutil.make_archive(str(root / "b"), "zip", root / "a")
    dump = discover(str(root), label_space="camvid11")
    assert [frame.render for frame in dump.frames] == ["a/rgb/0.png", "b.zip/rgb/0.png"]


def test_a_files_identity_is_its_content_in_a_zip(tmp_path: Path) -> None:
    facts: list[FileFacts] = []
    for content in (b"one", b"two", b"one"):
        with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
            archive.writestr("0.png", content)
        os.utime(tmp_path / "dump.zip", ns=(len(facts), len(facts)))
        facts += Folder(str(tmp_path / "dump.zip")).stat(["0.png"])
    assert facts[0] == facts[2] != facts[1]


def test_names_that_lead_out_of_an_archive_do_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../secret.png", "/etc/secret.png", "a/../../secret.png", "rgb/0.png"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("rgb/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert set(open_archive(str(path)).marks) == {"rgb/0.png"}
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        entry = tarfile.TarInfo("rgb/link.png")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
        good = tarfile.TarInfo("./rgb/0.png")
        good.size = 1
        tar.addfile(good, io.BytesIO(b"x"))
    assert set(open_archive(str(tmp_path / "bad.tar")).marks) == {"rgb/0.png"}


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".hdf5"])
def test_a_damaged_archive_is_named_and_the_rest_goes_on(make_tree: MakeTree, suffix: str) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png"])
    (root / f"b{suffix}").write_bytes(b"PK\3\4 but not for long")
    dump = discover(str(root), label_space="camvid11")
    assert len(dump.frames) == 1
    (problem,) = dump.problems
    assert (problem.kind, problem.paths) == ("unreadable_archive", (f"b{suffix}",))
    assert "copy it again" in problem.message


def test_a_damaged_file_in_an_archive_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "dump.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0.png", b"A" * 1000)
    path.write_bytes(path.read_bytes().replace(b"A" * 1000, b"B" * 1000))
    with pytest.raises(ArchiveError, match="damaged"):
        Folder(str(path)).read_bytes("0.png")


def test_without_h5py_the_way_out_is_named(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png", "more.h5"])
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (problem,) = discover(str(root), label_space="camvid11").problems
    assert "pip install 'sflow-pipeline[hdf5]'" in problem.message


def test_an_archive_of_nothing_is_an_empty_dump(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dump.zip", "w"):
        pass
    with pytest.raises(DumpError, match="empty"):
        discover(str(tmp_path / "dump.zip"))


def test_arrays_in_hdf5_read_as_pictures_and_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    colors = rng.integers(0, 256, (4, 6, 3), np.uint8)
    ids = rng.integers(0, 2000, (4, 6), np.int32)
    depth = rng.random((4, 6), np.float32)
    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        file["colors"], file["ids"], file["depth"], file["facts"] = colors, ids, depth, b'{"a": 1}'
        file["negative"] = ids - 1000
        file["nothing"], file["ambiguous"] = np.array([[-1, 7]], np.int16), np.array([[-1, 0]], np.int16)
    folder = Folder(str(tmp_path / "0.hdf5"))

    def decode(name: str) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(folder.read_bytes(name), np.uint8), cv2.IMREAD_UNCHANGED)

    assert np.array_equal(cv2.cvtColor(decode("colors.png"), cv2.COLOR_BGR2RGB), colors)
    assert np.array_equal(decode("ids.png"), ids)
    assert decode("ids.png").dtype == np.uint16
    assert np.array_equal(np.load(io.BytesIO(folder.read_bytes("depth.npy"))), depth)
    assert folder.read_bytes("facts.json") == b'{"a": 1}'
    assert folder.stat(["ids.png"])[0].size_bytes == len(folder.read_bytes("ids.png"))
    assert decode("nothing.png").tolist() == [[0, 7]]
    with pytest.raises(ArchiveError, match="both -1 and 0"):
        folder.read_bytes("ambiguous.png")
    with pytest.raises(ArchiveError, match="do not fit 16 bits"):
        folder.read_bytes("negative.png")


@pytest.mark.parametrize("name", ["more.tar.gz", "more.tgz", "more.tar.xz", "more.7z"])
def test_archives_that_cannot_be_read_are_named_with_the_way_out(make_tree: MakeTree, name: str) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png", f"a/{name}"])
    (problem,) = discover(str(root), label_space="camvid11").problems
    assert (problem.kind, problem.paths) == ("packed_archive", (f"a/{name}",))
    assert "gunzip makes a .tar" in problem.message
    shutil.rmtree(root / "a" / "rgb")
    for dump in (root, root / "a" / name):
        with pytest.raises(DumpError) as caught:
            discover(str(dump))
        assert "unpack it" in caught.value.hint


def test_a_gunzipped_tar_is_read(make_tree: MakeTree) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png"])
    with tarfile.open(root.parent / "dump.tar.gz", "w:gz") as archive:
        archive.add(root / "a", "a")
    with pytest.raises(DumpError, match="not a folder"):
        discover(str(root.parent / "dump.tar.gz"))
    (root.parent / "dump.tar").write_bytes(gzip.decompress((root.parent / "dump.tar.gz").read_bytes()))
    assert len(discover(str(root.parent / "dump.tar"), label_space="camvid11").frames) == 1


def test_an_archive_in_an_archive_is_named(make_tree: MakeTree) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png", "a/more.zip"])
    packed = shutil.make_archive(str(root.parent / "packed"), "zip", root)
    (problem,) = discover(packed, label_space="camvid11").problems
    assert (problem.kind, problem.paths) == ("packed_archive", ("a/more.zip",))


def test_archives_in_an_object_store_are_named(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_tree(["a/rgb/0.png", "a/semantic/0.png", "b.zip", "c/d.tar"])
    filesystem = pafs.SubTreeFileSystem(str(root.parent), pafs.LocalFileSystem())
    monkeypatch.setattr(
        pafs, "FileSystem", SimpleNamespace(from_uri=lambda uri: (filesystem, uri.removeprefix("s3://archives/")))
    )
    (problem,) = discover("s3://archives/dump", label_space="camvid11").problems
    assert (problem.kind, problem.paths) == ("remote_archive", ("b.zip", "c/d.tar"))
    assert "copy the dump to a local folder" in problem.message
    for dump in ("s3://archives/dump/c", "s3://archives/dump/b.zip"):
        with pytest.raises(DumpError) as caught:
            discover(dump)
        assert "unpack it" in caught.value.hint


@pytest.mark.parametrize("member_time", [0, 1_700_000_000])
def test_members_without_a_time_have_that_of_their_tar_file(tmp_path: Path, member_time: int) -> None:
    """Reproducible archives state the time 0; packed again, a file of the same size may be another one."""
    path = tmp_path / "dump.tar"

    def pack(content: bytes, packed_at: int) -> int:
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo("semantic/0.npy")
            entry.size, entry.mtime = len(content), member_time
            tar.addfile(entry, io.BytesIO(content))
        os.utime(path, (packed_at, packed_at))
        return open_archive(str(path)).marks["semantic/0.npy"]

    marks = pack(b"one", 1_800_000_000), pack(b"two", 1_800_000_001)
    assert (marks[0] != marks[1]) == (member_time == 0)
