"""A layout that is stated by patterns: ``layout`` in ``dataset.yaml`` or in a job, one path pattern per column."""

import re
from collections.abc import Mapping

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.errors import ConfigError
from sflow_pipeline.frames import iterate_column
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.frame_table import ROOT_SEQUENCE, name_split, split_of
from sflow_pipeline.simulators.label_sample import detect_encodings
from sflow_pipeline.simulators.path_patterns import FrameIdentity, PatternFinder
from sflow_pipeline.simulators.space_guess import build_unstated_error
from sflow_pipeline.simulators.stated_facts import FILE_NAME, StatedFacts, read_stated_facts

NAME = "pattern"
_EXAMPLE = "render=images/{sequence}/{frame}.png,label=labels/{sequence}/{frame}.png"
LAYOUT = f"stated path patterns, such as {_EXAMPLE}"

_TOKEN = re.compile(r"\{(?P<name>[a-z][a-z0-9_]*)\}|(?P<deep>\*\*)|(?P<any>\*)|(?P<text>[^{}*]+)|(?P<wrong>.)")


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return f"{FILE_NAME} states its layout" if read_stated_facts(root).layout else None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. All placeholders but ``{frame}`` together name a sequence, ``{split}`` its split, too.

    Raises:
        ConfigError: no layout is stated, or a pattern is wrong.
        DumpError: no label space is stated.
    """
    finder = PatternFinder(root, compile_layout(stated.layout or {}), _identify, is_exclusive=True)
    frames = finder.frames()
    if stated.label_space is None:
        raise build_unstated_error(root, list(iterate_column(frames, "label")), stated.label_encoding)
    if frames and "render" not in finder.patterns:
        finder.log.add("no_renders", frames[0].label)
    dump = Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space,
        label_encoding="ids",
        frames=frames,
        problems=finder.log.problems(),
        why="paths as the stated layout has them",
    )
    return detect_encodings(dump, stated)


def compile_layout(layout: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    """Regular expressions of a layout's path patterns.

    ``{frame}`` and other placeholders match a name or a part of one, ``{sequence}`` as a whole folder name also several
    folders; a repeated placeholder matches the same text again. ``*`` matches within a name, ``**`` across folders.

    Args:
        layout: modality -> pattern of its files' paths, relative to the dump.

    Raises:
        ConfigError: ``label`` is missing, a column is unknown, a pattern has no ``{frame}`` or other placeholders than
            the pattern of ``render``, or of ``label`` where there is none.

    >>> layout = compile_layout({"render": "img/{sequence}/{frame}.*", "label": "gt/{sequence}/{frame}_id.png"})
    >>> layout["render"].fullmatch("img/town/a/0007.jpg").groupdict()
    {'sequence': 'town/a', 'frame': '0007'}
    """
    for name in layout:
        if name not in MODALITIES:
            raise ConfigError(f"layout: no column {name}", hint=suggest_name(name, MODALITIES))
    if "label" not in layout:
        raise ConfigError("layout: has no pattern for label", hint=f"state it, such as {_EXAMPLE}")
    patterns = {name: _compile(name, pattern) for name, pattern in layout.items()}
    first = "render" if "render" in patterns else "label"
    expected = set(patterns[first].groupindex)
    for name, pattern in patterns.items():
        found = set(pattern.groupindex)
        if found != expected or "frame" not in found:
            raise ConfigError(
                f"layout: {name}: {layout[name]!r} has placeholders {_list(found)}, {first} has {_list(expected)}",
                hint="use {frame} and the same further placeholders in every pattern; * matches any text",
            )
    return patterns


def _compile(column: str, pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for token in _TOKEN.finditer(pattern):
        name = token["name"]
        if token["wrong"] is not None:
            raise ConfigError(
                f"layout: {column}: {pattern!r} has a brace without a name",
                hint="placeholders are {frame}, {sequence}, {split} or other names in small letters",
            )
        if name is None:
            parts.append(".*" if token["deep"] else "[^/]*" if token["any"] else re.escape(token["text"]))
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            before, after = pattern[: token.start()], pattern[token.end() :]
            is_folder = before[-1:] in ("", "/") and after.startswith("/")
            parts.append(f"(?P<{name}>{'.+?' if name == 'sequence' and is_folder else '[^/]+'})")
            seen.add(name)
    return re.compile("".join(parts))


def _identify(match: re.Match[str]) -> FrameIdentity:
    groups = match.groupdict()
    parts = [groups[name] for name in sorted(groups) if name not in ("frame", "split", "sequence")]
    first = [groups[name] for name in ("split", "sequence") if name in groups]  # train/0 and val/0 are two frames
    sequence_id = "/".join([*first, *parts]) or ROOT_SEQUENCE
    split = name_split(groups["split"]) if "split" in groups else split_of(match.string)
    return FrameIdentity(sequence_id, match["frame"], split)


def _list(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "none"
