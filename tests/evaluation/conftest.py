"""Pictures in class colours, and a segmenter that recognises classes by colour."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.cli.app import main
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.label_spaces import LabelSpace, load_label_space

SIZE_PX = (64, 48)
CAMVID = load_label_space("camvid11")


def colors_of(space: LabelSpace) -> NDArray[np.uint8]:
    """(classes, 3) RGB of every class but void."""
    return np.array([item.color for item in space.classes if item.id != space.void_id], np.uint8)


class ColorSegmenter(torch.nn.Module):
    """Scores -|rgb - colour of class|² up to a term that all classes share."""

    def __init__(self, colors: NDArray[np.uint8]) -> None:
        super().__init__()
        palette = torch.from_numpy(colors.astype(np.float32))
        self.register_buffer("weight", 2.0 * palette[:, :, None, None])
        self.register_buffer("bias", -(palette**2).sum(dim=1))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(batch, self.weight, self.bias)


class MeanColor(torch.nn.Module):
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean(dim=(2, 3))


def save_network(module: torch.nn.Module, path: Path) -> Path:
    torch.jit.trace(module.eval(), torch.rand(1, 3, SIZE_PX[1], SIZE_PX[0])).save(str(path))
    return path


@pytest.fixture(scope="session")
def judge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Knows CamVid's eleven classes by their colours; described by a YAML beside it."""
    path = save_network(ColorSegmenter(colors_of(CAMVID)), tmp_path_factory.mktemp("judge") / "colors.torchscript.pt")
    description = f"file: {path.name}\nsize_px: {SIZE_PX[0]}x{SIZE_PX[1]}\nlabel_space: camvid11\n"
    path.with_name(f"{path.name}.yaml").write_text(description)
    return path


@pytest.fixture
def save_segmenter(tmp_path: Path) -> Callable[[list[str]], Path]:
    """Saves a segmenter with one output channel per CamVid class name given; a name may occur more than once."""

    def save(names: list[str]) -> Path:
        colors = {item.name: item.color for item in CAMVID.classes}
        return save_network(
            ColorSegmenter(np.array([colors[name] for name in names])), tmp_path / "judge.torchscript.pt"
        )

    return save


@pytest.fixture(scope="session")
def extractor_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = save_network(MeanColor(), tmp_path_factory.mktemp("extractor") / "mean.torchscript.pt")
    path.with_name(f"{path.name}.yaml").write_text(f"file: {path.name}\nname: rgb3\nsize_px: 64x48\n")
    return path


@pytest.fixture
def write_photos() -> Callable[..., Path]:
    """Writes pictures painted in the colours of their labels, in the plain layout; ``wrong`` of them are not."""

    def write(root: Path, count: int = 4, *, wrong: float = 0.0, seed: int = 0, ids: int = 11, split: str = "") -> Path:
        rng = np.random.default_rng(seed)
        colors = colors_of(CAMVID)
        for frame in range(count):
            label_map = rng.integers(0, ids, (SIZE_PX[1] // 8, SIZE_PX[0] // 8)).astype(np.uint8)
            seen = np.where(rng.random(label_map.shape) < wrong, (label_map + 1) % 11, label_map)
            photo = colors[seen].repeat(8, 0).repeat(8, 1)
            for kind, pixels in (("rgb", photo[..., ::-1]), ("semantic", label_map.repeat(8, 0).repeat(8, 1))):
                path = root / split / "s" / kind / f"{frame:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), pixels)
        (root / "dataset.yaml").write_text("label_space: camvid11\n")
        return root

    return write


class Painter:
    """A model that paints what the label says, and answers with an edge in every eighth column."""

    def translate(
        self, class_index: NDArray[np.uint8], render: NDArray[np.uint8], alpha: NDArray[np.float32], **_look: object
    ) -> Translation:
        assert len(render) == len(alpha) == len(class_index)
        photo = np.concatenate([colors_of(CAMVID), [[0, 0, 0]]])[class_index].astype(np.uint8)
        edge = np.zeros(class_index.shape, np.uint8)
        edge[:, :, ::8] = 255
        return Translation(photo, edge)


@pytest.fixture
def write_dataset(random_bundle: Path) -> Callable[..., Path]:
    """Converts a dump with a model that paints truly."""

    def write(dump: Path, out: Path, **fields: object) -> Path:
        job = build_job(
            {"sim_dir": str(dump), "out_dir": str(out), "bundle": str(random_bundle), "workers": 1, **fields}
        )
        assert convert(job, build_translator=Painter).status == "clean"
        return out

    return write


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``sflow-pipeline evaluate`` in this process: exit code, standard output and standard error."""

    def start(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sflow-pipeline", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(stop.value.code or 0), captured.out, captured.err

    return start
