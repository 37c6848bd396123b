"""``label_footage``: unlabelled video in, photos with predicted labels in the plain layout out."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import yaml

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.errors import FrameError, OutputError, UsageError
from sflow_pipeline.labelling.footage import Footage, FootageFrame, open_footage
from sflow_pipeline.labelling.frame_labeller import FrameLabeller
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.write_whole import write_whole

#: Settings of the folder, written first; hidden, so that readers ignore it.
MARKER = ".labels.json"
DATASET_FILE = "dataset.yaml"
#: Frames of a sequence, labelled by an earlier run, that are compared with the footage: others follow in between.
_COMPARED_FRAMES = 16


@dataclass(frozen=True)
class LabelSummary:
    """What was written.

    Attributes:
        sequences, frames: in the folder, and ``kept`` of these frames were there before.
        void: mean share of pixels without a label, of the frames that this run labelled.
        left_out: frame -> why it could not be read.
        notes: what a user should know about a sequence.
    """

    root: str
    label_space: str
    sequences: int
    frames: int
    kept: int
    void: float | None
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def label_footage(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    bundle: str | Path | None = None,
    confidence: float = 0.5,
    every: int = 1,
    device: str = "auto",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelSummary:
    """Label the frames of a video, or of every video and folder of pictures in a folder.

    ``OUT/<sequence>/rgb`` holds the pictures, those of a folder byte for byte, those of a video as PNG; ``semantic``
    their labels in the bundle's label space, void where the segmenter is not confident. ``dataset.yaml``, written last,
    states the label space. A run that was broken off is completed by the same call.

    Args:
        bundle: whose segmenter; the default bundle if None.
        confidence: least probability of a pixel's class, above 0 and at most 1.
        every: labels the first of every so many frames.

    Raises:
        UsageError: a number is out of range, the source holds no frames, or none of them can be read.
        BundleError: the bundle has no segmenter.
        OutputError: ``out`` holds something else, such as labels of other footage of the same name, or cannot be
            written.
    """
    if not 0 < confidence <= 1:
        raise UsageError(f"confidence {confidence:g}: must be above 0 and at most 1", hint="0.5 is usual")
    if every < 1:
        raise UsageError(f"every {every}: must be at least 1", hint="1 labels all frames")
    loaded = load_bundle(bundle)
    labeller = FrameLabeller(loaded, resolve_device(device), confidence)
    footage = open_footage(Path(source))
    chosen = [(sequence, list(sequence.frames)[::every]) for sequence in footage]
    root = Path(out)
    settings: dict[str, object] = {
        "segmenter": loaded.metadata.segmenter_sha256,
        "confidence": confidence,
        "every": every,
    }
    _claim(root, settings)
    for sequence, frames in chosen:
        _check_same_footage(root, sequence.name, frames)
    total, done, kept = sum(len(frames) for _, frames in chosen), 0, 0
    left_out: dict[str, str] = {}
    void: list[float] = []
    for sequence, frames in chosen:
        for frame in frames:
            folder = root / sequence.name
            if _locate_label(folder, frame).exists():
                kept += 1
            else:
                try:
                    void.append(_label_frame(frame, folder, labeller))
                except (FrameError, OSError) as error:
                    left_out[f"{sequence.name}/{frame.name}"] = getattr(error, "strerror", None) or str(error)
            done += 1
            on_progress(done, total)
    if len(left_out) == total:
        first, reason = next(iter(left_out.items()))
        raise UsageError(
            f"{source}: none of {total} frames can be read; {first}: {reason}", hint="name readable pictures or videos"
        )
    write_whole(root / DATASET_FILE, _describe(labeller.space.name, loaded.name, confidence, footage, every).encode())
    notes = tuple(note for sequence in footage for note in sequence.notes)
    mean_void = float(np.mean(void)) if void else None
    frames_there = total - len(left_out)
    return LabelSummary(str(root), labeller.space.name, len(chosen), frames_there, kept, mean_void, left_out, notes)


def describe_summary(summary: LabelSummary) -> str:
    """The summary as JSON."""
    return json.dumps(asdict(summary), indent=2)


def _label_frame(frame: FootageFrame, folder: Path, labeller: FrameLabeller) -> float:
    """Write picture and label of a frame, the label last; returns the share of void pixels."""
    data = frame.read()
    picture = image_codec.decode_rgb(data, name=frame.name)
    label = labeller.label(picture)
    write_whole(folder / "rgb" / f"{frame.name}{frame.suffix}", data)
    write_whole(_locate_label(folder, frame), image_codec.encode_label(label))
    return float((label == labeller.space.void_id).mean())


def _locate_label(folder: Path, frame: FootageFrame) -> Path:
    return folder / "semantic" / f"{frame.name}.png"


def _check_same_footage(root: Path, name: str, frames: list[FootageFrame]) -> None:
    """Compare frames of a sequence that are labelled already, from the first to the last, with the pictures there."""
    labelled = [frame for frame in frames if _locate_label(root / name, frame).exists()]
    places = np.unique(np.linspace(0, len(labelled) - 1, min(len(labelled), _COMPARED_FRAMES)).round().astype(int))
    for frame in (labelled[place] for place in places):
        if not _is_same_picture(root / name, frame):
            raise OutputError(
                f"output {root}: {name}/{frame.name} is labelled there, of another picture than now",
                hint="name another folder, or give this footage another name",
            )


def _is_same_picture(folder: Path, frame: FootageFrame) -> bool:
    try:
        now = image_codec.decode_rgb(frame.read(), name=frame.name)
    except (FrameError, OSError):
        return True  # what cannot be read any more stays labelled
    path = folder / "rgb" / f"{frame.name}{frame.suffix}"
    try:
        return np.array_equal(now, image_codec.decode_rgb(path.read_bytes(), name=str(path)))
    except (FrameError, OSError):
        return False


def _claim(root: Path, settings: dict[str, object]) -> None:
    """Make the folder, or check that it is an earlier run's with the same settings."""
    marker = root / MARKER
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not any(root.iterdir()):
            write_whole(marker, json.dumps(settings, sort_keys=True).encode())
            return
        there = json.loads(marker.read_bytes())
    except FileNotFoundError:
        raise OutputError(
            f"output {root}: holds files that are not from this command", hint="name a new or empty folder"
        ) from None
    except ValueError:
        raise OutputError(f"output {root}: {MARKER} is damaged", hint="remove the folder, or name another") from None
    except OSError as error:
        raise OutputError(f"output {root}: {error.strerror}", hint="name a folder that can be written") from error
    if there != settings:
        raise OutputError(
            f"output {root}: was labelled with other settings: {json.dumps(there, sort_keys=True)}",
            hint="name another folder, or repeat the settings",
        )


def _describe(label_space: str, bundle: str, confidence: float, footage: list[Footage], every: int) -> str:
    """The content of ``dataset.yaml``; the rate only where all sequences have the same."""
    content: dict[str, object] = {"label_space": label_space, "label_encoding": "ids"}
    rates = {sequence.fps for sequence in footage}
    rate = rates.pop() if len(rates) == 1 else None
    if rate:
        content["fps"] = round(rate / every, 6)
    note = f"predicted by the segmenter of bundle {bundle}, void below a probability of {confidence:g}"
    return f"# labels: {note}\n{yaml.safe_dump(content, sort_keys=False)}"
