"""What can go wrong by a user's hand: each message says what, the value, and the remedy."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_SETTING = re.compile(r"`(\w+)(?:=([^`]*))?`")
_OPTIONS = {"part": "split"}  # where the command line has another name


def as_names(message: str) -> str:
    """Return a message with its settings as Python names them.

    >>> as_names("`batch_size` is 0: replace the model with `overwrite=True`")
    'batch_size is 0: replace the model with overwrite=True'
    """
    return _SETTING.sub(lambda found: found[0].strip("`"), message)


def as_options(message: str) -> str:
    """Return a message with its settings as options of the command line.

    >>> as_options("`batch_size` is 0: replace the model with `overwrite=True`")
    '--batch-size is 0: replace the model with --overwrite'
    """

    def option(found: re.Match[str]) -> str:
        name, value = _OPTIONS.get(found[1], found[1]), (found[2] or "").strip("\"'")
        return f"--{name.replace('_', '-')}" + (f" {value}" if value not in ("", "True") else "")

    return _SETTING.sub(option, message)


class CharRNNError(Exception):
    """A mistake that one clear line explains; the command line shows that line and exits with 1.

    In the message that it is made with, settings stand in backticks. Its text has them as Python
    names them; the command line shows `options`, the message with options in their place.
    """

    def __str__(self) -> str:
        return as_names(super().__str__())

    @property
    def options(self) -> str:
        """The message for the command line."""
        return as_options(super().__str__())

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that the message names, the one at fault first."""
        return tuple(found[0] for found in _SETTING.findall(super().__str__()))


class ConfigError(CharRNNError, ValueError):
    """A setting outside its range; on the command line a usage error, exit code 2."""


class UnknownFieldError(ConfigError):
    """A field that no version up to this one has: a newer charrnn wrote it."""


class CorpusError(CharRNNError):
    """Text that cannot be read, or is too short to learn from."""


class UnknownCharacterError(CharRNNError):
    """Text with characters that the model's alphabet lacks."""


class CheckpointError(CharRNNError):
    """A model or resume file that cannot be read, written, or trusted."""


class WorkerError(CharRNNError):
    """One of a run's processes died."""


class DivergedError(CharRNNError):
    """Training left all bounds twice; exit code 3."""


def require_type(
    value: object, kind: type | tuple[type, ...], name: str, wanted: str, remedy: str = ""
) -> None:
    """Raise TypeError, saying what is `wanted`, unless the argument `name` is of this kind."""
    if not isinstance(value, kind) or isinstance(value, bool):
        hint = f": {remedy}" if remedy else ""
        raise TypeError(f"{name} must be {wanted}, got {value!r:.60}{hint}")


def unexpected_keyword(function: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for a keyword that a function doesn't have, as Python would word it."""
    close = get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def counted(number: int, noun: str) -> str:
    """Return so many of a thing, in words for a person.

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
    return text[:1].lower() + text[1:]


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)
