"""Errors that users can fix: each message states the problem, the value and the remedy."""

import errno
import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

_SETTING = re.compile(r"`(\w+)(?:=([^`]*))?`")
# Where the command line uses another name; of a flag that turns something off, the opposite.
_OPTIONS = {"part": "split", "pitches": "range", "constrained": "unconstrained"}


def as_names(message: str) -> str:
    """Return a message with its settings as Python names.

    >>> as_names("`batch_size` must be 1 or more, got 0")
    'batch_size must be 1 or more, got 0'
    """
    return _SETTING.sub(lambda found: found[0].strip("`"), message)


def as_options(message: str) -> str:
    """Return a message with its settings as command-line options.

    >>> as_options("`batch_size` is fixed; start a new run with `overwrite=True`")
    '--batch-size is fixed; start a new run with --overwrite'
    """

    def option(found: re.Match[str]) -> str:
        name, value = _OPTIONS.get(found[1], found[1]), (found[2] or "").strip("\"'")
        return f"--{name.replace('_', '-')}" + (
            f" {value}" if value not in ("", "True", "False") else ""
        )

    return _SETTING.sub(option, message)


class CharRNNError(Exception):
    """An error that the user can fix; the command line prints its one line and exits with 1.

    Messages are written with settings in backticks: `batch_size`. `str(error)` shows Python names;
    the command line prints `error.options`, which shows options instead: --batch-size.
    """

    def __str__(self) -> str:
        return as_names(super().__str__())

    @property
    def options(self) -> str:
        """The message, with settings as command-line options."""
        return as_options(super().__str__())

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings named in the message, the invalid one first."""
        return tuple(found[0] for found in _SETTING.findall(super().__str__()))


class ConfigError(CharRNNError, ValueError):
    """An invalid setting; on the command line, a usage error (exit code 2)."""


class UnknownFieldError(ConfigError):
    """A field that this version does not know: a newer charrnn wrote it."""


class CorpusError(CharRNNError):
    """A corpus that cannot be read or is too short to train on."""


class UnknownCharacterError(CharRNNError):
    """Text with characters outside the model's alphabet."""


class CheckpointError(CharRNNError):
    """A model or resume file that cannot be read or written, or is damaged."""


class WorkerError(CharRNNError):
    """A worker process failed or could not be started."""


class DivergedError(CharRNNError):
    """Training diverged twice (exit code 3)."""


def require_type(
    value: object, kind: type | tuple[type, ...], name: str, wanted: str, remedy: str = ""
) -> None:
    """Raise TypeError unless the argument `name` is of this kind, described as `wanted`."""
    if not isinstance(value, kind) or isinstance(value, bool):
        hint = f"; {remedy}" if remedy else ""
        raise TypeError(f"{name} must be {wanted}, got {value!r:.60}{hint}")


def unexpected_keyword(function: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an unknown keyword argument, worded as Python words it."""
    close = get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def counted(number: int, noun: str) -> str:
    """Return a number of things in words, with the plural and thousands separators.

    >>> counted(1, "tune"), counted(1034, "tune")
    ('1 tune', '1,034 tunes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def reason(error: OSError) -> str:
    """Return why the operating system refused something, as the end of a message.

    >>> reason(OSError(28, "No space left on device"))
    'no space left on device'
    """
    text = error.strerror or str(error)
    remedy = " (raise the limit with ulimit -n)" if error.errno == errno.EMFILE else ""
    return text[:1].lower() + text[1:] + remedy


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise ConfigError unless the setting `name` is one of `choices`."""
    require(value in choices, f"`{name}` must be one of {', '.join(choices)}; got {value!r:.60}")
