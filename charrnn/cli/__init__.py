"""The command line: parse, call, print. Exit codes are turned out here, and nowhere else."""

from __future__ import annotations

import io
import sys
from typing import Any, NoReturn

import click

from charrnn import __version__
from charrnn.cli.terminal import give_up, tell
from charrnn.errors import CharRNNError, ConfigError, DivergedError
from charrnn.registry import resolve

# In the order in which they are listed.
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


class ClosedPipeError(Exception):
    """Whoever read our output has read enough."""


class Group(click.Group):
    """The commands of the registry; what a closed pipe means is left to `main`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the commands' names in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name."""
        command: click.Command | None = resolve(COMMANDS[name]) if name in COMMANDS else None
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises ClosedPipeError where click would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ClosedPipeError from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="charrnn")
def cli() -> None:
    """Train character-level language models, and generate text with them.

    \b
    Examples:
      charrnn train novel.txt --minutes 10
      charrnn sample novel.safetensors --prompt "Once " --length 500
      charrnn evaluate novel.safetensors novel.txt --split valid
      charrnn info novel.safetensors
      charrnn compose fiddle.safetensors -o tunes/

    Results go to standard output, all else to standard error. Exit codes: 0 done, 1 an error,
    2 wrong usage, 3 training diverged; 129, 130, 143 ended by a signal, with the work saved.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="charrnn", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except CharRNNError as error:
        tell(f"error: {error.options}")
        return 2 if isinstance(error, ConfigError) else 3 if isinstance(error, DivergedError) else 1
    except MemoryError:
        tell(
            "error: the memory does not suffice: ask for less, as with --hidden-size, --batch-size "
            "or --num-samples"
        )
        return 1
    except (ClosedPipeError, BrokenPipeError):
        give_up(sys.stdout)
        return 0
    except OSError as error:
        tell(f"error: {error.filename or 'standard output'}: {error.strerror}")
        give_up(sys.stdout)
        return 1
