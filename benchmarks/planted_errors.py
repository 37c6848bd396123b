"""Share of planted errors that the gate detects, at the false alarms that the default bundle's thresholds give.

``python -m benchmarks.planted_errors BUNDLE PHOTOS [--split val] [--limit N]``; prints a Markdown table.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.gate_calibration import list_failed_checks
from sflow_pipeline.bundle.label_agreement import AgreementScorer
from sflow_pipeline.evaluation.planted_errors import PLANTED_ERRORS, Pair
from sflow_pipeline.label_spaces import LabelSpace, build_mapping
from sflow_pipeline.markdown import draw_table
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage import image_codec


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("photos")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    thresholds, weights = bundle.metadata.gate, bundle.read_segmenter()
    if thresholds is None or weights is None:
        parser.error(f"bundle {bundle.name} has no segmenter or no gate thresholds")
    scorer = AgreementScorer(bundle, weights, resolve_device(), thresholds.recall)
    pairs = read_pairs(options.photos, options.split, options.limit, bundle.label_space)

    def find_failed(photo: NDArray[np.uint8], class_index: NDArray[np.uint8]) -> list[str]:
        return list_failed_checks(scorer.score([photo], [class_index])[0].checks, thresholds)

    real = [scorer.score([pair.photo], [pair.class_index])[0] for pair in pairs]
    alarms = [bool(list_failed_checks(agreement.checks, thresholds)) for agreement in real]
    rows = [("none: false alarms", "", f"{sum(alarms)} of {len(alarms)}", f"{np.mean(alarms):.1%}")]
    rng = np.random.default_rng(0)
    for error in PLANTED_ERRORS:
        found = []
        for i, pair in enumerate(pairs):
            partner = find_partner(pairs, i, rng)
            wrong = None if partner is None else error.plant(pair, partner, bundle.label_space, rng)
            if wrong is not None:
                found.append(bool(find_failed(wrong.photo, wrong.class_index)))
        share = f"{np.mean(found):.1%}" if found else "no place for it"
        rows.append((error.name, error.extent, f"{sum(found)} of {len(found)}", share))
    accuracy = np.mean([agreement.pixel_accuracy for agreement in real])
    miou = np.mean([agreement.miou for agreement in real])
    print(
        f"segmenter of {bundle.name} on these photos, mean per photo: pixel accuracy {accuracy:.3f}, mIoU {miou:.3f}\n"
    )
    print(draw_table(("planted error", "extent", "detected", "share"), rows))


if __name__ == "__main__":
    main()
