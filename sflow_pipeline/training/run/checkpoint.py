"""Checkpoints: written atomically, rotated, and restored from the newest undamaged one."""

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, first_line
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.write_errors import translate_write_errors

_KEEP = 3


@runtime_checkable
class Resumable(Protocol):
    """Training state that a checkpoint can hold.

    Attributes:
        fixed: the recipe's fields that must be the same on resume, as pydantic's ``include``.
        provenance: inputs of the run besides its recipe, by option, and the ``precision`` that it resolved ``auto`` to,
            which a resumed run keeps. An option that is given again on resume must have
            the same value; the others are kept.
    """

    recipe: Recipe
    images_seen: int
    fixed: ClassVar[dict[str, Any]]
    provenance: dict[str, str]

    def to_tensors(self) -> dict[str, Tensor]: ...

    def from_tensors(self, tensors: dict[str, Tensor], images_seen: int) -> None: ...


def save_checkpoint(state: Resumable, folder: Path) -> Path:
    """Write ``checkpoint-<images>.safetensors`` with its digest beside it, then drop all but the newest three.

    Raises:
        TrainingError: a weight is not finite; nothing is written, so the newest checkpoint stays usable.
        OutputError: the disk is full, …; it stays usable, too.
    """
    tensors = state.to_tensors()
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise TrainingError(
            f"{broken[0]} is not finite after {state.images_seen} images",
            hint="resume from the last checkpoint with a lower learning rate or precision: fp32",
        )
    path = folder / f"checkpoint-{state.images_seen:09d}.safetensors"
    metadata = {
        "images_seen": str(state.images_seen),
        "recipe": state.recipe.model_dump_json(),
        "given": json.dumps(state.provenance),
    }
    with (
        Folder(str(folder)).scratch(path.name) as scratch,
        translate_write_errors(str(path), kept="it goes on from the last checkpoint"),
    ):
        save_file(tensors, scratch.path, metadata=metadata)
        # The digest is written first, so that a checkpoint without one is incomplete.
        path.with_suffix(".sha256").write_text(_file_digest(scratch.path) + "\n")
        scratch.publish(path.name)
    for old in _list_checkpoints(folder)[_KEEP:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".sha256").unlink(missing_ok=True)
    return path


def load_newest_checkpoint(state: Resumable, folder: Path) -> tuple[Path | None, list[Path]]:
    """Restore the newest undamaged checkpoint into ``state``.

    Returns:
        The checkpoint that was restored (None where there is none), and newer ones that are damaged.

    Raises:
        TrainingError: a checkpoint has another recipe or provenance, or every one is damaged.
    """
    damaged: list[Path] = []
    for path in _list_checkpoints(folder):
        facts = _read_facts(path) if _is_whole(path) else None
        if facts is None:
            damaged.append(path)
            continue
        recipe, provenance, images_seen = facts
        _check_recipe(path, recipe, state)
        _check_provenance(path, provenance, state)
        state.provenance = provenance | state.provenance
        try:
            state.from_tensors(load_file(path), images_seen)
        except (KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise TrainingError(
                f"{path}: does not hold what this training needs: {first_line(error)}",
                hint="remove it to go on from an older one, or train into another --out folder",
            ) from error
        return path, damaged
    if damaged:
        raise TrainingError(
            f"{folder}: all {len(damaged)} checkpoints are damaged, newest {damaged[0].name}",
            hint="remove them to start anew, or restore one from a backup",
        )
    return None, damaged


def read_recipe(path: Path) -> Recipe:
    """The recipe of a checkpoint.

    Raises:
        TrainingError: it is damaged.
    """
    facts = _read_facts(path)
    if facts is None:
        raise TrainingError(f"{path}: is damaged", hint="name another checkpoint, or restore it from a backup")
    return facts[0]


def _read_facts(path: Path) -> tuple[Recipe, dict[str, str], int] | None:
    """Recipe, provenance and images of a checkpoint's header; None where it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
        provenance = json.loads(metadata.get("given", "{}"))
        recipe = Recipe.model_validate_json(metadata["recipe"])
        images_seen = int(metadata["images_seen"])
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError):
        return None
    is_sound = isinstance(provenance, dict) and all(isinstance(value, str) for value in provenance.values())
    return (recipe, provenance, images_seen) if is_sound and images_seen >= 0 else None


def _list_checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.safetensors"), reverse=True)


def _is_whole(path: Path) -> bool:
    sidecar = path.with_suffix(".sha256")
    try:
        with safe_open(path, framework="pt"):
            pass
        return sidecar.read_text().strip() == _file_digest(path)
    except (OSError, SafetensorError, ValueError):
        return False


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_recipe(path: Path, saved: Recipe, state: Resumable) -> None:
    a = saved.model_dump(mode="json", include=state.fixed)
    b = state.recipe.model_dump(mode="json", include=state.fixed)
    different = sorted(key for key in state.fixed if a[key] != b[key])
    if different:
        key = different[0]
        old, new = a[key], b[key]
        while isinstance(old, dict):
            part = next(part for part in old if old[part] != new[part])
            key, old, new = f"{key}.{part}", old[part], new[part]
        raise TrainingError(
            f"{path}: made by another recipe: {key} is {json.dumps(old)} there and {json.dumps(new)} here",
            hint="train into another --out folder, or use the recipe that began this one",
        )


def _check_provenance(path: Path, saved: dict[str, str], state: Resumable) -> None:
    different = [option for option, value in saved.items() if state.provenance.get(option, value) != value]
    if different:
        option = different[0]
        raise TrainingError(
            f"{path}: made with {option} {saved[option]}, and this run has {state.provenance[option]}",
            hint=f"give {option} as the run that began this one did, or train into another --out folder",
        )
