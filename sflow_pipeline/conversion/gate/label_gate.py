"""The gate that compares images with their labels, by the bundle's segmenter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle, GateThresholds
from sflow_pipeline.bundle.appearance import is_blank
from sflow_pipeline.bundle.frame_threads import map_frames
from sflow_pipeline.bundle.metadata import CHECKS
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.gate.gate import EdgeGate, Gate, GateFactory, Judgement, compute_edge_f1
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.edges.picture_edges import detect_edges
from sflow_pipeline.storage.canonical_json import compute_digest

if TYPE_CHECKING:
    from torch import Tensor

    from sflow_pipeline.bundle.label_agreement import Agreement, AgreementScorer, ReducedPair
    from sflow_pipeline.bundle.translator import Translation

#: Raised with every change of what the checks compute.
_CHECKS_VERSION = 3


class LabelGate:
    """Scores images and renders against their labels; refuses images below the bundle's thresholds, if it enforces.

    Args:
        scorer: the segmenter on its device.
        thresholds: of the bundle; None where it has none, and then no check can fail.
        edges: scores the edges.
        follow_renders: whether images follow their renders' detail, and are compared with it.
        retries: see ``Gate``.
        enforce: whether images below a threshold are refused.
        batch_size: pictures that are scored at once on a GPU.
    """

    def __init__(
        self,
        scorer: "AgreementScorer",
        thresholds: GateThresholds | None,
        edges: EdgeGate,
        *,
        follow_renders: bool = False,
        retries: int = 0,
        enforce: bool = False,
        batch_size: int = 1,
    ) -> None:
        self.retries = retries
        self._scorer = scorer
        self._thresholds = thresholds
        self._edges = edges
        self._follow_renders = follow_renders
        self._enforce = enforce
        self._batch_size = batch_size
        self._renders: dict[str, Agreement] = {}

    def judge(
        self,
        frames: Sequence[DecodedFrame],
        translation: "Translation",
        followed: Sequence[NDArray[np.uint8]] | None = None,
    ) -> list[Judgement]:
        """See ``Gate.judge``."""
        from sflow_pipeline.bundle.label_agreement import reduce_pair
        from sflow_pipeline.bundle.render_checks import check_against_render

        labels = [frame.class_index for frame in frames]
        reduced = map_frames(reduce_pair, translation.photo, labels)
        renders = map_frames(reduce_pair, [frame.render for frame in frames], labels)
        image_scores, render_scores = self._score(frames, reduced, renders)
        edges = self._edges.judge(frames, translation)
        follows = [self._follow_renders and frame.has_render and not is_blank(frame.render) for frame in frames]
        relative = self._compare_objects(image_scores, renders, follows)

        def judge_frame(i: int) -> Judgement:
            source = renders[i][0] if followed is None else reduce_pair(followed[i], frames[i].class_index)[0]
            checks = dict(image_scores[i].checks)
            render = render_scores[i]
            if follows[i] and render is not None:
                void = self._scorer.void_channel
                checks |= relative.get(i, {})
                checks |= check_against_render(image_scores[i], render, source, reduced[i], void)
            scores = {**edges[i].scores, **score_picture(*reduced[i], self._edges.threshold)}
            return self._judge(image_scores[i], render, checks, scores)

        return map_frames(judge_frame, range(len(frames)))

    def _compare_objects(
        self, images: Sequence["Agreement"], renders: Sequence["ReducedPair"], follows: Sequence[bool]
    ) -> dict[int, dict[str, float]]:
        """``objects`` relative to the render, of images that fail it and follow their renders."""
        from sflow_pipeline.bundle.contradictions import compare_with_render

        if self._thresholds is None:
            return {}
        least = self._thresholds.least.get("objects", -np.inf)
        failing = [i for i, image in enumerate(images) if follows[i] and image.checks["objects"] < least]
        found = self._scorer.score_reduced([renders[i] for i in failing], self._batch_size)
        confusion = self._thresholds.confusion
        return {
            i: {"objects": -compare_with_render(images[i].contradictions, render.contradictions, confusion)}
            for i, render in zip(failing, found, strict=True)
        }

    def _judge(
        self,
        image: "Agreement",
        render: "Agreement | None",
        checks: Mapping[str, float],
        scores: dict[str, float | str | None],
    ) -> Judgement:
        from sflow_pipeline.bundle.gate_calibration import find_weakest_class, list_failed_checks

        failed = list_failed_checks(checks, self._thresholds) if self._thresholds else None
        return Judgement(
            {
                **scores,
                "pixel_accuracy": image.pixel_accuracy,
                "miou": image.miou,
                "rare_recall": image.rare_recall,
                "unfamiliar": image.unfamiliar,
                "render_pixel_accuracy": None if render is None else render.pixel_accuracy,
                "render_miou": None if render is None else render.miou,
                "weakest_class": find_weakest_class(image, self._thresholds),
                "failed_checks": None if failed is None else ",".join(failed),
            },
            is_accepted=not (self._enforce and failed),
        )

    def _score(
        self, frames: Sequence[DecodedFrame], images: Sequence["ReducedPair"], renders: Sequence["ReducedPair"]
    ) -> tuple[list["Agreement"], Sequence["Agreement | None"]]:
        """Scores of the images, and of the renders, which all variants and attempts of a batch share."""
        if not any(frame.has_render for frame in frames):
            return self._scorer.score_reduced(images, self._batch_size), [None] * len(frames)
        names = [frame.ref.sample_id for frame in frames]
        if all(name in self._renders for name in names):
            scores = self._scorer.score_reduced(images, self._batch_size)
        else:
            scores, found = self._scorer.score_with_renders(images, renders, self._batch_size)
            self._renders = dict(zip(names, found, strict=True))
        return scores, [
            self._renders[name] if frame.has_render else None for name, frame in zip(names, frames, strict=True)
        ]


@dataclass(frozen=True)
class LabelGateFactory:
    """Builds the gate of a job in a worker; picklable.

    Attributes:
        settings: of the conversion.
        bundle: whose segmenter and thresholds.
        segmenter: its weights, for workers that do not share a disk with the driver.
    """

    settings: ConversionSettings
    bundle: Bundle
    segmenter: "Mapping[str, Tensor]"

    def __call__(self) -> Gate:
        from sflow_pipeline.bundle.label_agreement import AgreementScorer
        from sflow_pipeline.networks.device import resolve_device

        settings = self.settings
        enforce = settings.job.gate == "enforce"
        device = resolve_device(settings.device, settings.precision)
        thresholds = self.bundle.metadata.gate
        return LabelGate(
            AgreementScorer(self.bundle, self.segmenter, device, thresholds),
            thresholds,
            EdgeGate(settings.edge_threshold),
            follow_renders=settings.appearance == 1.0,
            retries=settings.job.gate_retries if enforce else 0,
            enforce=enforce,
            batch_size=settings.batch_size,
        )


def build_gate_factory(settings: ConversionSettings, bundle: Bundle) -> GateFactory | None:
    """What builds the gate of a job; None where edges alone are scored."""
    if not settings.gate_digest:
        return None
    segmenter = bundle.read_segmenter()
    assert segmenter is not None, "the digest is of a segmenter"
    return LabelGateFactory(settings, bundle, segmenter)


def check_gate(job: ConvertJob, bundle: Bundle) -> tuple[str, list[str]]:
    """Whether a bundle can serve the job's gate.

    Returns:
        sha256 hex of the segmenter and the thresholds that the gate uses, empty where it uses none; and warnings.

    Raises:
        UsageError: the job enforces the gate, and the bundle has no segmenter or no thresholds.
    """
    if job.gate == "off":
        return "", []
    metadata = bundle.metadata
    lacking = "segmenter" if metadata.segmenter_sha256 is None else "gate thresholds" if metadata.gate is None else None
    if job.gate == "enforce" and lacking:
        raise UsageError(
            f"gate enforce: bundle {bundle.name} has no {lacking}",
            hint="convert with --gate score, or add it to the bundle with train --only "
            + ("segmenter" if metadata.segmenter_sha256 is None else "gate"),
            fields=("gate",),
        )
    if metadata.segmenter_sha256 is None:
        return "", [f"bundle {bundle.name} has no segmenter: agreement with the labels is not scored"]
    thresholds = metadata.gate.model_dump() if metadata.gate else None
    warnings = [] if metadata.gate else [f"bundle {bundle.name} has no gate thresholds: scores are not checked"]
    outdated = [name for name in (metadata.gate.least if metadata.gate else ()) if name not in CHECKS]
    if outdated:
        warnings.append(
            f"bundle {bundle.name} has thresholds of checks that are no longer made ({', '.join(outdated)}); measure "
            "those of today's with train --only gate"
        )
    facts = {"segmenter": metadata.segmenter_sha256, "thresholds": thresholds, "checks": _CHECKS_VERSION}
    return compute_digest(facts), warnings


def score_picture(photo: NDArray[np.uint8], class_index: NDArray[np.uint8], edge_threshold: float) -> dict[str, float]:
    """Scores that need no segmenter.

    Returns:
        ``boundary_f1``: F1 of the picture's Laplacian edges against the boundaries between classes, 1 px tolerance;
        ``clipped``: share of the pixels that are black or white in every channel.
    """
    edges = detect_edges(photo, edge_threshold)
    white, black = (cv2.countNonZero(cv2.inRange(photo, (value,) * 3, (value,) * 3)) for value in (255, 0))
    return {
        "boundary_f1": compute_edge_f1(edges, find_boundaries(class_index)),
        "clipped": (white + black) / class_index.size,
    }


def find_boundaries(class_index: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w) pixels whose class differs from a neighbour's above, below, left or right.

    >>> find_boundaries(np.array([[0, 0, 1]], np.uint8)).tolist()
    [[False, True, True]]
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(cv2.morphologyEx(class_index, cv2.MORPH_GRADIENT, cross) > 0)
