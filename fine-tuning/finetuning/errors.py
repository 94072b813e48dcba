"""What can go wrong, each with the exit code that tells a scheduler whether another try makes sense."""


class FinetuneError(Exception):
    """Base of all; the text is a sentence for the operator. Not retried unless a subclass says otherwise."""

    exit_code = 1


class UsageError(FinetuneError):
    """The command line asks for something that does not exist (EX_USAGE)."""

    exit_code = 64


class DataError(FinetuneError):
    """A model or data file is missing, damaged or of a kind that is not supported (EX_DATAERR)."""

    exit_code = 65


class ConfigError(FinetuneError):
    """A setting, or the database's revision, is wrong (EX_CONFIG)."""

    exit_code = 78


class GateRefusedError(FinetuneError):
    """The candidate is not better than the champion; the text is the table of checks."""

    exit_code = 3


class BusyError(FinetuneError):
    """Another run of the pipeline works on this database; nothing is left to do here."""

    exit_code = 0


class DatabaseAwayError(FinetuneError):
    """The database does not answer; another try goes on where this one stopped."""


class InterruptedRunError(FinetuneError):
    """The run was told to stop; its checkpoint is written and the next run resumes."""

    exit_code = 143
