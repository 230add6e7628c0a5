"""The commands and their options. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from manager.cli.exit_codes import MEANINGS, ExitCode, exit_code
from manager.cli.invocation import SHARED_OPTIONS, Invocation, invocation
from manager.errors import OllamaManagerError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]

PROGRAM = "ollama-manager"

# Typer may bring its own Click or use the installed one; either way this is its `UsageError`.
_UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])

_EPILOG = "Exit codes: " + "; ".join(f"{code.value} {text}" for code, text in MEANINGS.items())


class _Group(TyperGroup):
    """Ends quietly when the reader of the output has gone (``| head``)."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _reader_gone()


class _Command(TyperCommand):
    """Hands the options that all commands share over to the run."""

    def invoke(self, ctx: Any) -> Any:
        shared = {name: ctx.params.pop(name) for name in SHARED_OPTIONS if name in ctx.params}
        run = invocation(ctx)
        run.add(shared)
        run.start_logging()
        return super().invoke(ctx)


app: typer.Typer = typer.Typer(
    name=PROGRAM,
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    epilog=_EPILOG,
)

_SHARED = "Options of every command"
_SERVER = "Server"
_MODELS = "Models"
_TRY = "Without an Ollama"

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="The model, such as llama3.2 or qwen3:8b.")
]
OptionWords = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="KEY=VALUE", help="A model option; may be repeated."),
]
KeepAlive = Annotated[
    str | None,
    typer.Option(
        metavar="SPAN", help="How long the model stays loaded: 5m, or seconds; -1 is for ever."
    ),
]
Timeout = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="The longest silence of the server.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        from manager.version import __version__

        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


@app.callback()
def shared_options(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            help="Where the server is, as in OLLAMA_HOST.",
            metavar="ADDRESS",
            rich_help_panel=_SHARED,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="The configuration file.", metavar="FILE", rich_help_panel=_SHARED),
    ] = None,
    binary: Annotated[
        str | None,
        typer.Option(
            help="The ollama program to start.", metavar="PROGRAM", rich_help_panel=_SHARED
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON, errors too.", rich_help_panel=_SHARED)
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Log calls; -vv headers too; -vvv prompts and answers too.",
            rich_help_panel=_SHARED,
        ),
    ] = 0,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours (NO_COLOR=1).", rich_help_panel=_SHARED)
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Start, watch and talk to an Ollama server."""
    invocation(context).add(
        {
            "host": host,
            "config": config,
            "binary": binary,
            "as_json": as_json,
            "verbose": verbose,
            "no_color": no_color,
        }
    )


@app.command(cls=_Command, rich_help_panel=_TRY)
def demo(context: typer.Context) -> int:
    """See all of it work, on a private port; nothing that is there is touched."""
    from manager.cli.demo import run_demo

    return run_demo(invocation(context))


@app.command(cls=_Command, rich_help_panel=_TRY)
def simulate(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="A model that it has; may be repeated."),
    ] = None,
) -> int:
    """Run a simulated Ollama until Ctrl-C: the whole API, but no model behind it."""
    from manager.cli.simulate import run_simulator

    return run_simulator(invocation(context), models or [])


@app.command(cls=_Command, rich_help_panel=_SERVER)
def start(context: typer.Context) -> None:
    """Start the server; it stays until `ollama-manager stop`."""
    from manager.cli.server import start_server

    start_server(invocation(context))


@app.command(cls=_Command, rich_help_panel=_SERVER)
def stop(context: typer.Context) -> None:
    """Stop the server that a manager started, for everybody."""
    from manager.cli.server import stop_server

    stop_server(invocation(context))


@app.command(cls=_Command, rich_help_panel=_SERVER)
def restart(context: typer.Context) -> None:
    """Restart the server that a manager started; it stays until `ollama-manager stop`."""
    from manager.cli.server import restart_server

    restart_server(invocation(context))


@app.command(cls=_Command, rich_help_panel=_SERVER)
def status(context: typer.Context) -> int:
    """Show what the server is doing; starts nothing. Exit code 3: no server is ready."""
    from manager.cli.server import show_status

    return show_status(invocation(context))


@app.command(cls=_Command, rich_help_panel=_SERVER)
def logs(
    context: typer.Context,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, metavar="N", help="How many lines to show.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
) -> None:
    """Show the end of the server's log; starts nothing."""
    from manager.cli.server_logs import show_logs

    show_logs(invocation(context), lines, follow=follow)


@app.command("list", cls=_Command, rich_help_panel=_MODELS)
def list_models(context: typer.Context) -> None:
    """List the local models."""
    from manager.cli.models import list_models

    list_models(invocation(context))


@app.command(cls=_Command, rich_help_panel=_MODELS)
def show(context: typer.Context, model: Model) -> None:
    """Show what is known of a model."""
    from manager.cli.models import show_model

    show_model(invocation(context), model)


@app.command(cls=_Command, rich_help_panel=_MODELS)
def pull(
    context: typer.Context,
    model: Model,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow a registry without trusted https.")
    ] = False,
) -> None:
    """Download a model; one that broke off goes on where it was."""
    from manager.cli.models import pull_model

    pull_model(invocation(context), model, insecure=insecure)


@app.command(cls=_Command, rich_help_panel=_MODELS)
def chat(
    context: typer.Context,
    model: Model,
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT]...",
            help="What to ask; the word - stands for standard input. Without it: standard input,"
            " or on a terminal a conversation.",
            show_default=False,
        ),
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="A system message.")] = None,
    options: OptionWords = None,
    think: Annotated[
        bool | None, typer.Option("--think/--no-think", help="Let the model think first, or not.")
    ] = None,
    think_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="How much: low, medium, high or max.")
    ] = None,
    answer_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="json|SCHEMA",
            help="Answer in JSON; or by a JSON schema, itself or its file.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="PATH", help="An image; may be repeated."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Show the answer while it is written.")
    ] = True,
    keep_alive: KeepAlive = None,
    timeout: Timeout = None,
) -> None:
    """Talk to a model."""
    from manager.cli.chat import ChatOptions, chat_with

    wanted = ChatOptions.read(
        system=system,
        options=options or [],
        think=think,
        think_level=think_level,
        answer_format=answer_format,
        images=images or [],
        keep_alive=keep_alive,
        timeout=timeout,
    )
    chat_with(invocation(context), model, prompt or [], wanted, stream=stream)


@app.command(cls=_Command, rich_help_panel=_MODELS)
def embed(
    context: typer.Context,
    model: Model,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...",
            help="A text each; without one: the lines of standard input.",
            show_default=False,
        ),
    ] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many numbers each vector is cut to.")
    ] = None,
    truncate: Annotated[
        bool | None,
        typer.Option("--truncate/--no-truncate", help="Cut texts that are too long, or refuse."),
    ] = None,
    options: OptionWords = None,
    keep_alive: KeepAlive = None,
    timeout: Timeout = None,
) -> None:
    """Turn texts into vectors: one JSON array a line, or a summary on a terminal."""
    from manager.cli.embed import EmbedOptions, embed_texts

    wanted = EmbedOptions.read(
        dimensions=dimensions,
        truncate=truncate,
        options=options or [],
        keep_alive=keep_alive,
        timeout=timeout,
    )
    embed_texts(invocation(context), model, texts or [], wanted)


config_app: typer.Typer = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The configuration: what holds, and whether the file is right.",
)
app.add_typer(config_app, name="config", rich_help_panel=_SERVER)


@config_app.command("show", cls=_Command)
def show_config(context: typer.Context) -> None:
    """Show every value that holds, and where it came from; secrets are masked."""
    from manager.cli.config import show_config

    show_config(invocation(context))


@config_app.command("check", cls=_Command)
def check_config(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="The file; by default the one that a manager would read.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Say whether the file and the environment are right. Exit code 2: they are not."""
    from manager.cli.config import check_config

    return check_config(invocation(context), file)


@config_app.command("init", cls=_Command)
def init_config(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a file with every key, commented out, for its owner alone."""
    from manager.cli.config import init_config

    init_config(invocation(context), force=force)


@config_app.command("schema", cls=_Command)
def print_schema(context: typer.Context) -> None:
    """Print the JSON Schema of the file, for editors."""
    from manager.cli.config import print_schema

    print_schema(invocation(context))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and say how it ended.

    Args:
        arguments: The words after the program's name; None: those of the process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    this_run = Invocation()
    try:
        return _performed(words, this_run)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except OllamaManagerError as error:
        return _failed(error, this_run)
    except _UsageError as error:
        return _misused(error, words, this_run)
    except Exception as error:
        from manager.cli.failure import report_unexpected

        report_unexpected(error, this_run.terminal, as_json=this_run.as_json)
        return ExitCode.FAILURE
    finally:
        this_run.stop_logging()


def _performed(words: list[str], this_run: Invocation) -> int:
    _write_what_can_be_written()
    code: object = _command_tree().main(
        words, prog_name=PROGRAM, standalone_mode=False, obj=this_run
    )
    sys.stdout.flush()
    return code if isinstance(code, int) else ExitCode.OK


def _command_tree() -> TyperGroup:
    """The commands, each with the shared options too, so that these may stand behind it."""
    group = cast("TyperGroup", get_command(app))
    shared = [option for option in group.params if option.name in SHARED_OPTIONS]
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            for below in command.commands.values():
                below.params += shared
        else:
            command.params += shared
    return group


def _write_what_can_be_written() -> None:
    """Replace what the terminal's encoding lacks, rather than fail on it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _failed(error: OllamaManagerError, this_run: Invocation) -> int:
    from manager.cli.failure import report_error

    report_error(error, this_run.terminal, as_json=this_run.as_json)
    return exit_code(error)


def _misused(error: Exception, words: list[str], this_run: Invocation) -> int:
    """Tell of wrong usage. ``--json`` may stand behind the word that could not be read."""
    from manager.cli.failure import report_usage

    message = str(getattr(error, "format_message", error.__str__)())
    if not message:  # no command at all: the help has been shown
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    this_run.add({"no_color": "--no-color" in words})
    report_usage(
        message, f"{path} --help", this_run.terminal, as_json=this_run.as_json or "--json" in words
    )
    return ExitCode.USAGE


def _reader_gone() -> int:
    from manager.cli.terminal import silence_output

    silence_output()
    return ExitCode.OK
