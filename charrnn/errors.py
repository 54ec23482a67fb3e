"""What can go wrong by a user's hand: each message says what, the value, and the remedy."""


class CharRNNError(Exception):
    """A mistake that one clear line explains; the command line shows that line and exits with 1."""


class ConfigError(CharRNNError, ValueError):
    """A setting outside its range; on the command line a usage error, exit code 2."""


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


def counted(number: int, noun: str) -> str:
    """Return so many of a thing, in words for a person.

    >>> counted(1, "tune"), counted(1034, "tune")
    ('1 tune', '1,034 tunes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)
