"""Reads the INI files of the lab: network.conf, sizes.conf, profiles and topologies."""

import configparser

import ini

from .errors import LabError

LARGEST = 64 * 1024


def read_ini(path):
    """Returns {section: {key: value}} in the order of the file."""
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",), strict=True)
    parser.optionxform = str
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise LabError(f"{path}: longer than {LARGEST} bytes")
        parser.read_string(text)
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, configparser.Error) as error:
        raise LabError(ini.fault(path, error)) from error
    return {name: dict(parser[name]) for name in parser.sections()}
