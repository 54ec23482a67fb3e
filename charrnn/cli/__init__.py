"""The command line: parse, call, print. This module alone turns errors into exit codes.

Reading order: `options` (how options are declared), one file per command, `terminal` (how text is
escaped and wrapped). Each command makes one call that Python users can make too, with the same
result.
"""

from __future__ import annotations

import errno
import io
import re
import sys
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from charrnn import __version__
from charrnn.cli.terminal import give_up, tell
from charrnn.errors import CharRNNError, ConfigError, DivergedError, reason
from charrnn.registry import resolve

# In the order of the help.
COMMANDS: dict[str, click.Command | str] = {
    "train": "charrnn.cli.train:train",
    "sample": "charrnn.cli.sample:sample",
    "evaluate": "charrnn.cli.evaluate:evaluate",
    "info": "charrnn.cli.info:info",
    "compose": "charrnn.cli.compose:compose",
    "assess": "charrnn.cli.assess:assess",
    "convert": "charrnn.cli.convert:convert",
    "export": "charrnn.cli.export:export",
    "import": "charrnn.cli.import_:import_",
}
# Errors of the system that come without a file name and do not concern standard output.
_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class ClosedPipeError(Exception):
    """The reader of our output has closed the pipe."""


class Group(click.Group):
    """The commands of the registry; `main` handles a closed pipe."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names of the commands in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by name."""
        command: click.Command | None = resolve(COMMANDS[name]) if name in COMMANDS else None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; an error suggests a similar name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            similar = get_close_matches(args[0], COMMANDS, 1)
            hint = f" (did you mean {similar[0]!r}?)" if similar else ""
            raise click.UsageError(error.format_message().rstrip(".") + hint, ctx) from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; without any, show the help and exit with 2."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises ClosedPipeError where click would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ClosedPipeError from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="charrnn")
def cli() -> None:
    """Train character-level language models and generate text or tunes.

    \b
    Examples:
      charrnn train novel.txt --minutes 10
      charrnn sample novel.safetensors --prompt "Once " --length 500
      charrnn evaluate novel.safetensors novel.txt --split valid
      charrnn info novel.safetensors
      charrnn compose fiddle.safetensors -o tunes

    Results go to standard output, messages to standard error. Exit codes: 0 success, 1 error,
    2 usage error, 3 training diverged; 129, 130 and 143: stopped by a signal, after saving.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by our parent
            setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="charrnn", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.ClickException as error:
        tell(f"error: {_message(error)}")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except CharRNNError as error:
        tell(f"error: {error.options}")
        return 2 if isinstance(error, ConfigError) else 3 if isinstance(error, DivergedError) else 1
    except MemoryError:
        tell("error: out of memory; try a smaller --hidden-size, --batch-size or --num-samples")
        return 1
    except (ClosedPipeError, BrokenPipeError):
        give_up(sys.stdout)
        return 0
    except OSError as error:
        subject = error.filename or ("" if error.errno in _RESOURCES else "standard output")
        tell(f"error: {subject}{': ' if subject else ''}{reason(error)}")
        give_up(sys.stdout)
        return 1


def _message(error: click.ClickException) -> str:
    """Return click's message in our style, with a pointer to the command's help."""
    message = error.format_message().rstrip(".")
    message = re.sub(r"\. \(?Did you mean (.*?\?)\)?$", r" (did you mean \1)", message)
    context = getattr(error, "ctx", None)
    hint = f"; see '{context.command_path} --help'" if context else ""
    is_name = message[:2].isupper()  # such as CORPUS
    return (message if is_name else message[:1].lower() + message[1:]) + hint
