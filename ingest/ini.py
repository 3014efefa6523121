"""Turns syntax errors of INI files into one line with the place."""

import configparser


def fault(path, error):
    """Returns "PATH:LINE: error" for an exception of configparser."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"{path}:{error.lineno}: it must follow a section [NAME]"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{path}:{error.lineno}: [{error.section}] is there twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{path}:{error.lineno}: [{error.section}] {error.option} is there twice"
    if isinstance(error, configparser.ParsingError):
        return f"{path}:{error.errors[0][0]}: neither a section nor NAME = VALUE"
    if isinstance(error, UnicodeDecodeError):
        return f"{path}: it is not UTF-8; save it as UTF-8"
    return f"{path}: {' '.join(str(error).split())}"
