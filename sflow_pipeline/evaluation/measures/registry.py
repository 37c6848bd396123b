"""Every measure, and the networks that it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from sflow_pipeline.evaluation.measures.class_distance import ClassDistance
from sflow_pipeline.evaluation.measures.clip_features import ClipFeatures
from sflow_pipeline.evaluation.measures.kept_appearance import KeptAppearance
from sflow_pipeline.evaluation.measures.matched_distance import MatchedDistance
from sflow_pipeline.evaluation.measures.measure import Measure
from sflow_pipeline.evaluation.measures.perceptual_diversity import PerceptualDiversity
from sflow_pipeline.evaluation.measures.realism_gain import RealismGain
from sflow_pipeline.evaluation.measures.segmentation import Segmentation
from sflow_pipeline.evaluation.measures.video_distance import VideoDistance
from sflow_pipeline.evaluation.measures.warping import Warping
from sflow_pipeline.evaluation.measures.whole_features import WholeFeatures
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.feature_depths import FeatureDepths
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.label_spaces import LabelSpace


@dataclass(frozen=True)
class MeasureInputs:
    """Networks that the user named, and the label space to score in; ``depths`` are those of the extractor."""

    segmenter: ReferenceSegmenter | None
    extractor: Extractor | None
    depths: FeatureDepths | None
    space: LabelSpace
    video: bool = False
    i3d: str | None = None
    device: str = "cpu"
    only_video: bool = False


_Build = Callable[[MeasureInputs], Measure | None]
#: Of consecutive frames.
_VIDEO_MEASURES: tuple[_Build, ...] = (
    lambda inputs: Warping() if inputs.video else None,
    lambda inputs: VideoDistance(inputs.i3d, inputs.device) if inputs.i3d else None,
    lambda inputs: ClipFeatures(inputs.extractor) if inputs.video and inputs.extractor else None,
)
#: In the order of the table's columns; None where its network is missing.
MEASURES: tuple[_Build, ...] = (
    lambda inputs: RealismGain(inputs.extractor) if inputs.extractor else None,
    lambda inputs: ClassDistance(inputs.depths, inputs.space) if inputs.depths else None,
    lambda inputs: Segmentation(inputs.segmenter, inputs.space) if inputs.segmenter else None,
    lambda inputs: KeptAppearance() if inputs.segmenter or inputs.extractor else None,
    lambda inputs: WholeFeatures(inputs.extractor) if inputs.extractor else None,
    *_VIDEO_MEASURES,
    lambda inputs: MatchedDistance(inputs.depths, inputs.space) if inputs.depths and inputs.depths.is_vgg16 else None,
    lambda inputs: PerceptualDiversity(inputs.depths) if inputs.depths else None,
)


def build_measures(inputs: MeasureInputs) -> list[Measure]:
    """The measures that the inputs allow.

    Raises:
        LabelSpaceError: the segmenter has a class that the label space cannot represent.
    """
    builds = _VIDEO_MEASURES if inputs.only_video else MEASURES
    return [measure for build in builds if (measure := build(inputs)) is not None]
