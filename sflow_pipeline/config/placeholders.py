"""Placeholders in job files: environment variables as ``${NAME}``, and today's date as ``{date}``."""

import re
from collections.abc import Mapping
from typing import Any

from sflow_pipeline.errors import ConfigError
from sflow_pipeline.nearest_name import suggest_name

_PLACEHOLDER = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<wrong>\$\{)")


def fill_in(value: Any, environ: Mapping[str, str], date: str, where: str) -> Any:
    """Replace placeholders in every text of a job file, keys excepted.

    ``${NAME}`` is an environment variable, ``${NAME:-default}`` has a default for one that is not set or empty,
    ``$$`` is a dollar sign; ``{date}`` is the date. A text that is one variable with a default, and empty, is no
    value: ``workers: ${WORKERS:-}``.

    Raises:
        ConfigError: a variable is not set, or ``${`` is not followed by a name and ``}``.

    >>> fill_in({"sim_dir": "${ROOT}/a$$b", "out_dir": "o/{date}"}, {"ROOT": "/x"}, "2026-11-28", "job.yaml")
    {'sim_dir': '/x/a$b', 'out_dir': 'o/2026-11-28'}
    >>> fill_in(["${N:-3}"], {}, "2026-11-28", "job.yaml")
    ['3']
    >>> fill_in({"workers": "${N:-}"}, {}, "2026-11-28", "job.yaml")
    {'workers': None}
    """
    if isinstance(value, Mapping):
        return {key: fill_in(item, environ, date, f"{where}: {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [fill_in(item, environ, date, where) for item in value]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if found["wrong"]:
            raise ConfigError(
                f"{where}: {value!r}: ${{ must be followed by the name of a variable and }}",
                hint="write ${NAME} or ${NAME:-default}, and $$ for a dollar sign",
            )
        if name is None:
            return "$"
        text = environ.get(name, "")
        if name not in environ and default is None:
            near = suggest_name(name, environ, otherwise=f"export {name}=…")
            raise ConfigError(
                f"{where}: environment variable {name} is not set",
                hint=f"{near} or write ${{{name}:-default}} in the file",
            )
        return text or default or ""

    text = _PLACEHOLDER.sub(replace, value.replace("{date}", date))
    matched = _PLACEHOLDER.fullmatch(value)
    return None if not text and matched and matched["default"] is not None else text
