"""Genuine folders as labelled pictures: labels come out as class ids, however they are stored."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import DumpError, OutputError, UsageError
from sflow_pipeline.evaluation.photos import open_photos


def test_old_carla_labels_have_their_sky(shared_data: Path) -> None:
    """Tag 0 that touches the top border is sky, as the model was told; the file says 0."""
    root = shared_data / "carla-lyft-nikolasent"
    source = open_photos(str(root))
    photo = next(source.read())
    file = next(path for path in root.rglob("CameraSeg/*.png") if path.stem == photo.sample_id.rpartition("/")[2])
    tags = cv2.imread(str(file))[..., 2]
    sky = next(item.id for item in source.label_space.classes if item.name == "sky")
    top = photo.label_map[0] == sky
    assert top.any()
    assert np.array_equal(top, tags[0] == 0)
    assert np.array_equal(photo.label_map[tags != 0], tags[tags != 0])


def test_labels_with_a_table_per_frame_are_read(shared_data: Path) -> None:
    source = open_photos(str(shared_data / "replicator-praqtor"))
    for photo in islice(source.read(), 2):
        assert photo.label_map.shape == photo.photo.shape[:2]
        assert set(np.unique(photo.label_map).tolist()) <= source.label_space.ids()
    assert len(source) > 2


def test_folder_of_photos_has_no_renders(tmp_path: Path, write_photos: Callable[..., Path]) -> None:
    real = write_photos(tmp_path / "real")
    assert (open_photos(str(real)).kind, len(open_photos(str(real)))) == ("photos", 4)
    with pytest.raises(UsageError, match="no column render"):
        open_photos(str(real), column="render")


def test_dataset_is_known_by_its_manifest(
    tmp_path: Path, write_photos: Callable[..., Path], write_dataset: Callable[..., Path]
) -> None:
    dump = write_photos(tmp_path / "sim")
    source = open_photos(str(write_dataset(dump, tmp_path / "out", include="edge")))
    assert (source.kind, source.label_space.name) == ("dataset", "camvid11")
    labels = {photo.sample_id: photo.label_map for photo in source.read()}
    for name, label_map in labels.items():
        file = dump / "s" / "semantic" / f"{name.rpartition('/')[2]}.png"
        assert np.array_equal(label_map, cv2.imread(str(file), cv2.IMREAD_UNCHANGED))
    with pytest.raises(UsageError, match="no column render"):
        open_photos(str(tmp_path / "out"), column="render")
    with pytest.raises(UsageError, match=r"split 'night': .* has no such split"):
        open_photos(str(tmp_path / "out"), split="night")


def test_unfinished_dataset_is_called_so(
    tmp_path: Path, write_photos: Callable[..., Path], write_dataset: Callable[..., Path]
) -> None:
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    (out / "manifest.json").unlink()
    with pytest.raises(OutputError, match="conversion did not finish"):
        open_photos(str(out))


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="empty"):
        open_photos(str(tmp_path))
