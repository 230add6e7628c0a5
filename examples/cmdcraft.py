"""cmdcraft: say what you want in plain words, get a shell command. It is never run for you.

    python examples/cmdcraft.py find the ten largest files below this folder
    echo "undo my last commit but keep its changes" | python examples/cmdcraft.py --json
    python examples/cmdcraft.py            # asks; the model loads while you type

The command goes to standard output, everything else to standard error. The model is ``--model``,
``$OLLAMA_MODEL`` or ``llama3.2``. Exit codes: 0 a command, 1 failed otherwise, 2 wrong usage or
configuration, 3 no server, 4 no such model, 5 the deadline passed, 6 the model's answer is no
command, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import sys
import threading
from dataclasses import asdict, dataclass

from manager import OllamaManager, OllamaManagerError, Timeouts, errors

WARM = 600  # seconds that the model, and a server we had to start, stay for the next question
RISKY = re.compile(r"\b(rm|dd|mkfs\S*|shred|sudo|kill\w*|chmod|chown)\b|>\s*/dev/|\|\s*\w*sh\b")


@dataclass
class ShellCommand:
    """What the model fills in."""

    command: str
    explanation: str
    dangerous: bool


def craft(m: OllamaManager, model: str, request: str, deadline: float) -> ShellCommand:
    """Ask for a command; the whole call takes ``deadline`` seconds at most."""
    shell = os.path.basename(os.environ.get("SHELL", "sh"))
    system = (
        f"You write one {shell} command for {platform.system()} that does what the user asks."
        " Explain it in one sentence. It is dangerous if it deletes, overwrites or stops anything,"
        " or needs more rights. Answer in JSON."
    )
    crafted = m.chat_parsed(
        model,
        request,
        ShellCommand,
        system=system,
        think=False,
        keep_alive=WARM,
        timeout=Timeouts(total=deadline),
        temperature=0,
        num_predict=300,
    )
    if not crafted.command.strip():
        raise errors.OutputParseError("the model wrote no command", model=model)
    # A model's word is not enough, and what does not print could deceive on a terminal.
    risky = RISKY.search(crafted.command) or not crafted.command.isprintable()
    crafted.dangerous = crafted.dangerous or bool(risky)
    return crafted


def explain(error: OllamaManagerError) -> tuple[int, str]:
    """Return the exit code for an error, and what to tell the user to do."""
    match error:
        case errors.ConfigError() | errors.InvalidRequestError() | errors.BadRequestError():
            return 2, error.hint or "correct this and ask again"
        case errors.ServerNotFoundError():
            return 3, "install Ollama: https://ollama.com/download"
        case (
            errors.ServerStartError()
            | errors.ServerCrashedError()
            | errors.ServerUnavailableError()
        ):
            return 3, error.hint or "see why: ollama-manager logs"
        case errors.ModelNotFoundError():
            near: list[str] = error.details.get("suggestions") or []
            other = f"name another with --model{', such as ' + near[0] if near else ''}"
            return 4, f"get it: ollama-manager pull {error.model}; or {other}"
        case errors.RequestTimeoutError():
            return 5, "allow more with --deadline, or name a smaller model with --model"
        case errors.OutputParseError() | errors.ResponseDecodeError():
            return 6, "ask in other words, or name a larger model with --model"
        case errors.AuthenticationError() | errors.PermissionDeniedError():
            return 1, error.hint or "sign in: ollama signin"
        case errors.CapabilityError():
            return 1, "name a model that can chat with --model"
        case _:  # above all a server that is busy or fails
            return 1, error.hint or "try again in a moment"


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def prewarm(m: OllamaManager, model: str) -> None:
    with contextlib.suppress(OllamaManagerError):  # the question itself will meet the error
        m.load_model(model, keep_alive=WARM)


def run(args: argparse.Namespace) -> None:
    with OllamaManager(linger=WARM) as m:
        request = " ".join(args.request)
        if not request:
            threading.Thread(target=prewarm, args=(m, args.model), daemon=True).start()
            if sys.stdin.isatty():
                print("What should the command do? ", end="", file=sys.stderr, flush=True)
            request = sys.stdin.readline() if sys.stdin.isatty() else sys.stdin.read()
        if not request.strip():
            raise errors.InvalidRequestError("nothing was asked", hint="say what you want done")
        crafted = craft(m, args.model, request.strip(), args.deadline)
    if args.json:
        print(json.dumps(asdict(crafted)))
        return
    print(printable(crafted.command), flush=True)
    print(printable(crafted.explanation), file=sys.stderr)
    if crafted.dangerous:
        print("Careful: this may change or destroy something.", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Plain words in, a shell command out.")
    parser.add_argument("request", nargs="*", help="what the command should do; none: asks")
    parser.add_argument("--model", default=os.environ.get("OLLAMA_MODEL", "llama3.2"))
    parser.add_argument("--deadline", type=float, default=60, help="seconds (default: 60)")
    parser.add_argument("--json", action="store_true", help="JSON, of an error too")
    args = parser.parse_args()
    try:
        run(args)
    except OllamaManagerError as error:
        code, advice = explain(error)
        if args.json:
            print(json.dumps({**error.to_dict(), "hint": advice}), file=sys.stderr)
        else:
            print(f"error: {error.message}\nhint: {advice}", file=sys.stderr)
        return code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
