"""Share of planted errors that the gate detects, at the false alarms that the default bundle's thresholds give.

``python -m benchmarks.planted_errors BUNDLE PHOTOS... [--split val] [--limit N] [--draws N] [--converted]``; prints
Markdown.
With ``--converted`` photos stand for rendered frames: they are converted, and errors are planted in the images.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle, GateThresholds, load_bundle
from sflow_pipeline.bundle.contradictions import compare_with_render
from sflow_pipeline.bundle.gate_calibration import list_failed_checks, measure_recall
from sflow_pipeline.bundle.label_agreement import Agreement, AgreementScorer, reduce_pair
from sflow_pipeline.bundle.render_checks import check_against_render
from sflow_pipeline.evaluation.planted_errors import PLANTED_ERRORS, Pair
from sflow_pipeline.label_spaces import LabelSpace, build_mapping
from sflow_pipeline.markdown import draw_table
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage import image_codec

if TYPE_CHECKING:
    from torch import Tensor

_REAL = "none: false alarms"


def read_pairs(folder: str, split: str, limit: int | None, space: LabelSpace) -> list[Pair]:
    """Photos of a split with their class indices, evenly chosen where there are more than ``limit``."""
    dump = discover(folder)
    frames = [frame for frame in dump.frames if frame.split == split]
    mapping = build_mapping(dump.label_format.space, space)
    step = max(1, len(frames) // limit) if limit else 1
    pairs = []
    for frame in frames[::step][:limit]:
        photo = image_codec.decode_rgb(dump.folder.read_bytes(frame.render), name=frame.render)
        size_px = (photo.shape[1], photo.shape[0])
        label = dump.label_format.read_for_network(dump.folder.read_bytes(frame.label), None, frame.label, size_px)
        pairs.append(Pair(photo, np.asarray(mapping.apply(label), np.uint8)))
    return pairs


def find_partner(pairs: list[Pair], i: int, rng: np.random.Generator) -> Pair | None:
    """Another pair of the same size, at least a fifth of the photos away in the recording where there is one."""
    shape = pairs[i].class_index.shape
    same = [k for k in range(len(pairs)) if k != i and pairs[k].class_index.shape == shape]
    far = [k for k in same if abs(k - i) >= len(pairs) // 5] or same
    return pairs[int(rng.choice(far))] if far else None


class Judge:
    """The gate's checks of one bundle.

    Args:
        bundle: with a segmenter and thresholds.
    """

    def __init__(self, bundle: Bundle, weights: Mapping[str, "Tensor"], thresholds: GateThresholds) -> None:
        self.scorer = AgreementScorer(bundle, weights, resolve_device(), thresholds)
        self._thresholds = thresholds

    def find_failed(self, pair: Pair, render: NDArray[np.uint8] | None, found: Agreement) -> list[str]:
        """The checks that a pair fails, with those against its render where there is one.

        Args:
            found: what the segmenter says of the render.
        """
        image = self.scorer.score([pair.photo], [pair.class_index])[0]
        checks = dict(image.checks)
        if render is not None:
            followed = reduce_pair(render, pair.class_index)[0]
            reduced = reduce_pair(pair.photo, pair.class_index)
            checks |= check_against_render(image, found, followed, reduced, self.scorer.void_channel)
            if "objects" in list_failed_checks(checks, self._thresholds):
                again = self.scorer.score([render], [pair.class_index])[0].contradictions
                checks["objects"] = -compare_with_render(image.contradictions, again, self._thresholds.confusion)
        return list_failed_checks(checks, self._thresholds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, help="photos of each folder")
    parser.add_argument("--draws", type=int, default=1, help="how often every error is planted in a photo")
    parser.add_argument("--converted", action="store_true", help="convert the photos, and plant errors in the images")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    thresholds, weights = bundle.metadata.gate, bundle.read_segmenter()
    if thresholds is None or weights is None:
        parser.error(f"bundle {bundle.name} has no segmenter or no gate thresholds")
    judge, space = Judge(bundle, weights, thresholds), bundle.label_space
    found: dict[str, list[list[str]]] = {}
    agreements = []
    for folder in options.photos:
        photos = read_pairs(folder, options.split, options.limit, space)
        scored = [judge.scorer.score([pair.photo], [pair.class_index])[0] for pair in photos]
        agreements += scored
        renders: list[NDArray[np.uint8] | None] = [None] * len(photos)
        pairs = photos
        if options.converted:
            renders = [pair.photo for pair in photos]
            pairs = [Pair(bundle.paint(p.photo, p.class_index, label_space=space), p.class_index) for p in photos]
        rng = np.random.default_rng(0)
        for i, (pair, render) in enumerate(zip(pairs, renders, strict=True)):
            found.setdefault(_REAL, []).append(judge.find_failed(pair, render, scored[i]))
            for _draw in range(options.draws):
                partner = find_partner(pairs, i, rng)
                for error in PLANTED_ERRORS:
                    wrong = None if partner is None else error.plant(pair, partner, space, rng)
                    if wrong is not None:
                        found.setdefault(error.name, []).append(judge.find_failed(wrong, render, scored[i]))
    print(describe_segmenter(agreements))
    extents = {error.name: error.extent for error in PLANTED_ERRORS}
    rows = []
    for name in (_REAL, *extents):
        failed = found.get(name, [])
        count = sum(map(bool, failed))
        share = f"{count / len(failed):.1%}" if failed else "no place for it"
        causes = Counter(check for checks in failed for check in checks).most_common(3)
        rows.append(
            (name, extents.get(name, ""), f"{count} of {len(failed)}", share, ", ".join(f"{c} {n}" for c, n in causes))
        )
    print(draw_table(("planted error", "extent", "detected", "share", "by"), rows))


def describe_segmenter(agreements: Sequence[Agreement]) -> str:
    """Its own weakness: mean accuracy, mIoU and recall per class on these photos."""
    recall = ", ".join(f"{name} {value:.2f}" for name, value in measure_recall(agreements).items())
    accuracy = np.mean([agreement.pixel_accuracy for agreement in agreements])
    miou = np.mean([agreement.miou for agreement in agreements])
    return (
        f"the segmenter on these {len(agreements)} photos, mean per photo: pixel accuracy {accuracy:.3f}, "
        f"mIoU {miou:.3f}; recall: {recall}\n"
    )


if __name__ == "__main__":
    main()
