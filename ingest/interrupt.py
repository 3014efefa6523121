"""Ctrl-C ends a program without a traceback while it still imports its modules. It takes effect when it is imported, so
a package imports it before its other modules. When main() runs, guard.status takes over."""

import _thread
import sys


def exception_hook(kind, error, trace):
    """Prints no traceback for Ctrl-C. Python then ends the program by the signal, which is status 130 in a shell."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def unraisable_hook(found):
    """Ends the program when Ctrl-C arrives in a finalizer or in a callback of Python's import system. Python itself
    would only print the interrupt and continue."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(found)


sys.excepthook = exception_hook
sys.unraisablehook = unraisable_hook
