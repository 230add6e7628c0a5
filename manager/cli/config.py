"""config show, check, init, schema: the configuration, and where it comes from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, cast

import typer
from rich.table import Table
from rich.text import Text

from manager.cli.exit_codes import ExitCode
from manager.cli.terminal import write_json
from manager.config import resolve_config
from manager.config.files import locate
from manager.config.keys import masked
from manager.config.schema import config_schema
from manager.config.template import SCHEMA_NAME, render_template
from manager.errors import ConfigError
from manager.transport.settings import http_settings

if TYPE_CHECKING:
    from manager.cli.invocation import Invocation
    from manager.config import ManagerConfig

__all__ = ["check_config", "init_config", "print_schema", "show_config"]


def show_config(run: Invocation) -> None:
    """Show every value that holds, and where it came from; secrets are masked.

    Raises:
        ConfigError: The configuration is wrong.
    """
    config = resolve_config(None, run.config, run.settings())
    values = {
        about.path: _entry(config, about.path, masked(about, v)) for about, v in config.values()
    }
    if run.as_json:
        write_json({"file": config.source.path, "settings": values})
        return
    path, place = config.source.path, config.source.expected_path
    run.terminal.out.print(path or f"no file at {place}", style="bold", soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    table = ""
    for key, entry in values.items():
        if table != (table := key.partition(".")[0]):
            grid.add_row(Text(f"[{table}]", style="bold"))
        is_set = entry["source"] != "default"
        style = "" if is_set else "dim"
        where = entry["where"].removeprefix(f"{path}, ")
        cells = (f"  {key.partition('.')[2]}", _shown(entry["value"]), where)
        grid.add_row(*(Text(cell, style=style) for cell in cells))
    run.terminal.show(grid)


def _entry(config: ManagerConfig, key: str, value: object) -> dict[str, Any]:
    origin = config.source.origins.get(key)
    if origin is None:
        return {"value": value, "source": "default", "where": "default"}
    where = origin.where
    if origin.kind == "keyword":
        where = f"--{where}"
    return {"value": value, "source": origin.kind, "where": where}


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return ", ".join(f"{name}={_shown(item)}" for name, item in items) or "-"
    if isinstance(value, list):
        return " ".join(str(item) for item in cast("list[object]", value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_config(run: Invocation, file: str | None) -> int:
    """Say whether the configuration is right: the file, and what the environment adds.

    Args:
        run: The run.
        file: The file; by default the one that a manager would read.

    Returns:
        The exit code: 2 where something is wrong.
    """
    problems: list[dict[str, Any]] = []
    path = file or run.config
    try:
        config = resolve_config(None, path, run.settings())
        path = config.source.path
        http_settings(config)
    except ConfigError as error:
        problems = [dict(one) for one in error.details.get("errors", [error.to_dict()])]
    if run.as_json:
        write_json({"ok": not problems, "file": path, "errors": problems})
    elif problems:
        for problem in problems:
            run.terminal.err.print(_line(problem), soft_wrap=True)
    else:
        run.terminal.out.print(
            f"{path}: right" if path else "right; there is no file", soft_wrap=True
        )
    return ExitCode.USAGE if problems else ExitCode.OK


def _line(problem: dict[str, Any]) -> str:
    """Write an error as compilers do, so that editors find the place."""
    message = str(problem.get("message", ""))
    file, line = problem.get("file"), problem.get("line")
    place = f"{file}:{line}" if line else file
    if place:
        message = message.removeprefix(f"{file}, line {line}: ").removeprefix(f"{file}: ")
        message = f"{place}: {message}"
    hint = problem.get("hint")
    return f"{message} ({hint})" if hint else message


def init_config(run: Invocation, *, force: bool) -> None:
    """Write a file in which every key is commented out, and its schema beside it.

    Raises:
        ConfigError: There is a file already, or none can be written.
    """
    path, _ = locate(run.config, os.environ)
    if path is None:
        raise ConfigError("there is no folder for it", hint="name a file with --config")
    if os.path.lexists(path) and not force:
        question = f"{path} is there already. Replace it?"
        if not run.terminal.is_interactive or not typer.confirm(question, err=True):
            raise ConfigError(
                f"{path} is there already; nothing was written",
                hint="--force replaces it",
                file=path,
            )
    folder = os.path.dirname(path)
    schema = os.path.join(folder, SCHEMA_NAME)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _write(schema, _schema_text())
        _write(path, render_template())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", file=path) from error
    if run.as_json:
        write_json({"file": path, "schema": schema})
    else:
        run.terminal.out.print(f"wrote {path}", soft_wrap=True)


def _write(path: str, text: str) -> None:
    """Replace a file as a whole by one that only its owner can read: it may get an API key."""
    new = f"{path}.{os.getpid()}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, os.path.realpath(path))
    except BaseException:
        os.unlink(new)
        raise


def _schema_text() -> str:
    import json

    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def print_schema(run: Invocation) -> None:
    """Print the JSON Schema of the file."""
    sys.stdout.write(_schema_text())
