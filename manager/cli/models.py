"""list, show, pull: the local models, and how they come."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from manager.cli.terminal import write_json
from manager.quantities import age, duration, file_size

if TYPE_CHECKING:
    from manager import ListModelResponse, ProgressResponse, ShownModel
    from manager.cli.invocation import Invocation

__all__ = ["list_models", "pull_model", "show_model"]

_DIGEST_LENGTH = 12
_LONG_TEXT = 300


def list_models(run: Invocation) -> None:
    """List the local models, the newest first."""
    with run.manager() as manager:
        models = manager.list_models()
    if run.as_json:
        write_json([model.to_dict() for model in models])
    elif not models:
        run.terminal.note("no models yet; `ollama-manager pull llama3.2` gets one")
    else:
        run.terminal.show(_models_table(models))


def _models_table(models: list[ListModelResponse]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("NAME", style="cyan", overflow="fold")
    table.add_column("SIZE", justify="right", no_wrap=True)
    table.add_column("PARAMETERS", justify="right", no_wrap=True)
    table.add_column("QUANTIZATION", no_wrap=True)
    table.add_column("MODIFIED", no_wrap=True)
    now = datetime.now(UTC)
    for model in models:
        # what runs elsewhere has no weights here
        size = f"at {model.remote_host}" if model.remote_host else file_size(model.size)
        details = model.details
        table.add_row(
            Text(model.name),
            size,
            details.parameter_size,
            details.quantization_level,
            age(model.modified_at, now),
        )
    return table


def show_model(run: Invocation, model_name: str) -> None:
    """Show what is known of a model.

    Raises:
        ModelNotFoundError: It is not there.
    """
    with run.manager() as manager:
        shown = manager.show_model(model_name)
    if run.as_json:
        write_json(shown.to_dict())
        return
    out = run.terminal.out
    out.print(Text(model_name, style="bold cyan"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in _rows(shown):
        grid.add_row(f"  {label}", Text(value))
    run.terminal.show(grid)


def _rows(shown: ShownModel) -> list[tuple[str, str]]:
    details = shown.details
    family = details.family
    rows = [
        ("architecture", family),
        ("parameters", details.parameter_size),
        ("quantization", details.quantization_level),
        ("context", _fact(shown, f"{family}.context_length", "tokens")),
        ("embedding", _fact(shown, f"{family}.embedding_length", "numbers")),
        ("capabilities", ", ".join(shown.capabilities or ())),
        ("size", "" if shown.size is None else file_size(shown.size)),
        ("digest", (shown.digest or "")[:_DIGEST_LENGTH]),
        ("modified", shown.modified_at.astimezone().strftime("%Y-%m-%d %H:%M")),
        ("runs at", shown.remote_host or ""),
        ("options", _one_line(shown.parameters or "")),
        ("system", _shortened(shown.system or "")),
        ("license", _shortened((shown.license or "").strip().partition("\n")[0])),
    ]
    return [(label, value) for label, value in rows if value]


def _fact(shown: ShownModel, key: str, unit: str) -> str:
    value: object = shown.model_info.get(key)
    return f"{value} {unit}" if isinstance(value, int) else ""


def _one_line(parameters: str) -> str:
    return ", ".join(" ".join(line.split()) for line in parameters.splitlines() if line.strip())


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG_TEXT else f"{text[:_LONG_TEXT]} ..."


def pull_model(run: Invocation, model_name: str, *, insecure: bool) -> None:
    """Download a model, and show how far it is.

    Raises:
        ModelNotFoundError: The hub does not have it.
        OllamaManagerError: The pull failed.
    """
    from manager.cli.pull_progress import progress_display

    started = time.monotonic()
    received = 0

    def write_line(progress: ProgressResponse) -> None:
        write_json(progress.to_dict())

    with run.manager() as manager:
        if run.as_json:
            manager.pull_model(model_name, insecure=insecure, on_progress=write_line)
            return
        with progress_display(run.terminal) as display:
            manager.pull_model(model_name, insecure=insecure, on_progress=display.update)
        received = display.received
    amount = f", {file_size(received)}" if received else ""
    seconds = duration(time.monotonic() - started)
    run.terminal.out.print(
        Text.assemble("pulled ", (model_name, "cyan"), f"{amount} in {seconds}"), soft_wrap=True
    )
