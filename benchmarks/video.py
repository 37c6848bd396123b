"""How steady converted video is over time: errors along the motion, and the distance from the frames it was made from.

    python benchmarks/video.py --bundle models/sflow --out results
    python benchmarks/video.py --bundle models/sflow --dump SIM_DIR --out results --mp4
    python benchmarks/video.py converted=out/plain smoothed=out/smooth --out results

Without datasets, a sample street of 60 frames or a dump is converted with each of the settings that are compared, into
folders beside the results; what is there and unchanged stays. Every dataset holds the same frames, rendered frames
among the columns. The motion is the simulator's where a dataset holds flow, else that of the rendered frames. Writes
``results.json`` and ``results.svg``, with --mp4 also ``results.mp4``, all side by side, and prints a table.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from xml.sax.saxutils import escape

import cv2
import numpy as np

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.evaluation.measures.warping import compare_along
from sflow_pipeline.evaluation.photos import DatasetPhotos
from sflow_pipeline.evaluation.video_frames import VideoFrame, list_places, read_video
from sflow_pipeline.networks.motion.optical_flow import measure_flow
from sflow_pipeline.simulators.frame_table import find_steps
from sflow_pipeline.storage.video_writer import VideoWriter, import_av
from sflow_pipeline.street.write_dump import write_sample_dump

#: What is compared where no datasets are named.
SETTINGS: dict[str, dict[str, float]] = {
    "independent": {"smooth": 0}, "smooth 1": {"smooth": 1}, "shifts 2": {"smooth": 0, "shifts": 2}
}  # fmt: skip
_STREET_FRAMES, _STREET_SEED = 60, 77
#: Frames at the beginning and at the end whose means are compared.
_ENDS = 10
_COLORS = ("#555", "#c0392b", "#2471a3", "#1e8449", "#d68910", "#7d3c98")
_PANEL_W, _PANEL_H, _LEFT, _TOP, _BOTTOM = 380, 240, 44, 30, 34


@dataclass
class Steadiness:
    """Of one video, in grey levels of 255.

    Attributes:
        errors: of each pair of consecutive frames, mean absolute difference along the motion.
        distances: of each frame, mean absolute difference from the frame it was made from.
        sharpness: of each frame, standard deviation of the Laplacian.
    """

    errors: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)

    def add(self, frame: VideoFrame, made_from: VideoFrame) -> None:
        self.distances.append(float(cv2.absdiff(frame.photo, made_from.photo).mean()))
        self.sharpness.append(float(cv2.Laplacian(frame.photo, cv2.CV_32F).std()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="*", help="NAME=OUT_DIR of convert; none to convert a street or a dump")
    parser.add_argument("--bundle", help="name or folder of the bundle to convert with; the default one")
    parser.add_argument("--dump", help="what is converted; a sample street of 60 frames")
    parser.add_argument("--frames", type=int, default=_STREET_FRAMES, help="of the street, or the first of the dump")
    parser.add_argument("--mp4", action="store_true", help="write the videos side by side, too")
    parser.add_argument("--out", type=Path, default=Path("video_results"), help="without suffix")
    chosen = parser.parse_args(arguments)
    for stated in chosen.dataset:
        if "=" not in stated:
            parser.error(f"{stated}: expected NAME=OUT_DIR")
    if chosen.dataset:
        datasets = dict(stated.split("=", 1) for stated in chosen.dataset)
    else:
        datasets = convert_all(chosen.out, chosen.bundle, chosen.dump, chosen.frames)
    found: dict[str, Steadiness] = {}
    for name, path in datasets.items():
        own, rendered = measure_video(path)
        found.setdefault("rendered", rendered)
        found[name] = own
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    content = {name: vars(video) for name, video in found.items()}
    chosen.out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    chosen.out.with_suffix(".svg").write_text(draw(found))
    if chosen.mp4:
        write_side_by_side(datasets, chosen.out.with_suffix(".mp4"))
    print(render_table(found))


def convert_all(out: Path, bundle: str | None, dump: str | None, frames: int) -> dict[str, str]:
    """Convert a dump with each of ``SETTINGS``; name -> folder of the dataset."""
    if dump is None:
        street = out.with_name(f"{out.name}_street_{frames}")
        if not street.exists():
            write_sample_dump(street, sequences=1, frames=frames, size=(512, 256), seed=_STREET_SEED, workers=1)
        dump = str(street)
    datasets = {}
    for name, fields in SETTINGS.items():
        place = str(out.with_name(f"{out.name}_{name.replace(' ', '_')}"))
        convert(
            build_job({"sim_dir": dump, "out_dir": place, "bundle": bundle, "gate": "off", "limit": frames, **fields})
        )
        datasets[name] = place
    return datasets


def write_side_by_side(datasets: Mapping[str, str], path: Path) -> None:
    """The rendered frames and each dataset's images (variant 0), left to right and in order, as one video."""
    sources = [DatasetPhotos(next(iter(datasets.values())), column="render")]
    sources += [DatasetPhotos(place) for place in datasets.values()]
    writer = VideoWriter(import_av("--mp4"), path, 10)
    videos = [(frame for frame in read_video(source) if not frame.variant) for source in sources]
    for position, frames in enumerate(zip(*videos, strict=True)):
        writer.add(np.concatenate([frame.photo for frame in frames], axis=1), position)
    writer.close()


def measure_video(path: str) -> tuple[Steadiness, Steadiness]:
    """The images of a dataset (variant 0), and the rendered frames."""
    images, renders = (DatasetPhotos(path, column=column) for column in ("image", "render"))
    steps = find_steps((sequence, index) for sequence, index, _ in list_places(images))
    own, rendered = Steadiness(), Steadiness()
    last: tuple[VideoFrame, VideoFrame] | None = None
    for image, render in zip(read_video(images), read_video(renders), strict=True):
        if image.variant:
            continue
        own.add(image, render)
        rendered.add(render, render)
        if last is not None and _follows(last[0], image, steps):
            motion = last[1].motion
            if motion is None:
                motion = measure_flow(last[1].photo, render.photo)
            for video, before, after in ((own, last[0], image), (rendered, last[1], render)):
                error = compare_along(before.photo, after.photo, motion)
                if error is not None:
                    video.errors.append(error)
        last = (image, render)
    return own, rendered


def _follows(before: VideoFrame, after: VideoFrame, steps: dict[str, int]) -> bool:
    return (
        before.sequence_id == after.sequence_id
        and after.frame_index - before.frame_index == steps[after.sequence_id]
        and before.photo.shape == after.photo.shape
    )


def render_table(found: dict[str, Steadiness]) -> str:
    """The means as Markdown."""
    lines = [
        f"| | error | ratio | first, last {_ENDS} | distance | first, last {_ENDS} | sharpness |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    usual = mean(found["rendered"].errors)
    for name, video in found.items():
        ends = [
            f"{mean(values[:_ENDS]):.2f}, {mean(values[-_ENDS:]):.2f}" for values in (video.errors, video.distances)
        ]
        error, distance = mean(video.errors), mean(video.distances)
        lines.append(
            f"| {name} | {error:.2f} | {error / usual:.2f} | {ends[0]} | {distance:.2f} | {ends[1]} | "
            f"{mean(video.sharpness):.1f} |"
        )
    return "\n".join(lines)


def draw(found: dict[str, Steadiness]) -> str:
    """Errors and distances over time, as SVG."""
    panels = [
        _draw_panel(0, "difference along the motion", {name: video.errors for name, video in found.items()}),
        _draw_panel(1, "distance from the frame itself", {name: video.distances for name, video in found.items()}),
    ]
    legend = [
        f'<path d="M{_LEFT + 130 * i} {_PANEL_H + 12}h18" stroke="{_COLORS[i % len(_COLORS)]}" stroke-width="2"/>'
        f'<text x="{_LEFT + 130 * i + 24}" y="{_PANEL_H + 16}">{escape(name)}</text>'
        for i, name in enumerate(found)
    ]
    width, height = 2 * _PANEL_W, _PANEL_H + 26
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>', *panels, *legend,
                      "</svg>\n"])  # fmt: skip


def _draw_panel(number: int, title: str, series: dict[str, list[float]]) -> str:
    left, right = number * _PANEL_W + _LEFT, (number + 1) * _PANEL_W - 12
    bottom = _PANEL_H - _BOTTOM
    top_value = max(max(values, default=0.0) for values in series.values()) or 1.0
    count = max(2, *(len(values) for values in series.values()))

    def place(i: int, value: float) -> str:
        return f"{left + (right - left) * i / (count - 1):.1f},{bottom - (bottom - _TOP) * value / top_value:.1f}"

    lines = [f'<text x="{left}" y="18">{title}, grey levels</text>']
    for share in np.linspace(0, 1, 5):
        y = bottom - (bottom - _TOP) * share
        lines.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{share * top_value:.1f}</text>')
    lines.append(f'<text x="{right}" y="{bottom + 16}" text-anchor="end">frame {count - 1}</text>')
    for i, values in enumerate(series.values()):
        points = " ".join(place(j, value) for j, value in enumerate(values))
        lines.append(
            f'<polyline fill="none" stroke="{_COLORS[i % len(_COLORS)]}" stroke-width="1.6" points="{points}"/>'
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
