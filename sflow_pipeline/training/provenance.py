"""What a run is trained on, in words that its checkpoints keep, so that it goes on with nothing else."""

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.training.data.photo_set import PhotoSet


def describe_inputs(
    photos: PhotoSet, held_out: PhotoSet, renders: PhotoSet | None = None, teacher: Bundle | None = None
) -> dict[str, str]:
    """Inputs by option; a run that went on with other photos would hold out what it has seen."""
    return {
        "--data": _describe_pictures(photos, held_out),
        **({"--renders": _describe_pictures(renders)} if renders is not None else {}),
        **({"--teacher": describe_bundle(teacher)} if teacher is not None else {}),
    }


def describe_bundle(bundle: Bundle) -> str:
    """Name, version and digest."""
    return f"{bundle.name} {bundle.metadata.version}, digest {bundle.digest[:12]}"


def _describe_pictures(*packs: PhotoSet) -> str:
    """How many, and a digest of their names."""
    names = [[facts.name for facts in pack.facts] for pack in packs]
    return f"{sum(map(len, names))} pictures, digest {compute_digest(names)[:12]}"
