"""Every error that vqc raises for something its user can mend.

    VqcError
    ├── InputError         a file, folder or option given by the user is not usable
    │   ├── CadError       a STEP file cannot be read or holds no geometry
    │   └── BusyError      another command is at work there; later it may be free
    ├── RecipeError        the folder holds a set made by another recipe
    ├── ManifestError      a manifest breaks the contract of docs/format.md
    ├── LeakError          a picture stands on both sides of a split
    ├── HonestyError       a score that would not be honest was asked for
    ├── LabelError         a label does not agree with the geometry it was drawn from
    ├── IncompleteError    some frames were set aside; the rest is finished
    ├── StoppedError       told to stop in time; what is finished is kept
    └── OutputError        the place to write to is missing, full or forbidden

A message says what, where, what was expected, what was found, and what to do. The
command line prints it without a traceback and exits with `exit_code`.
"""


class VqcError(Exception):
    """Base of all vqc errors; `exit_code` is what the command line exits with."""

    exit_code = 2


class InputError(VqcError):
    """A file, folder or option given by the user cannot be used."""


class CadError(InputError):
    """A STEP file cannot be read, or there is no geometry in it."""


class BusyError(InputError):
    """Another command holds the folder now."""


class RecipeError(VqcError):
    """The folder holds a set that another recipe made."""


class ManifestError(VqcError):
    """A manifest, or a folder described by one, breaks the contract of docs/format.md."""


class LeakError(VqcError):
    """The same picture, or nearly, stands on both sides of a split."""

    exit_code = 1


class HonestyError(VqcError):
    """A score that would not be honest was asked for. mark: why not, in a few words."""

    exit_code = 1

    def __init__(self, message: str, mark: str) -> None:
        super().__init__(message)
        self.mark = mark


class LabelError(VqcError):
    """A label disagrees with the geometry that it was drawn from."""

    exit_code = 1


class IncompleteError(VqcError):
    """Some frames could not be made and were set aside; everything else is finished."""

    exit_code = 1


class StoppedError(VqcError):
    """A scheduler told the command to stop; the same command goes on.

    Its exit code is sysexits' EX_TEMPFAIL, which Slurm's RequeueExit may name.
    """

    exit_code = 75


class OutputError(VqcError):
    """The place to write to is missing, full or forbidden."""
