"""What the dry run finds in a small project."""

from eosfm.planning.check import run_checks


def faults(folder, scale=None):
    return [finding.text for finding in run_checks(folder, scale) if finding.fault]


def notes(folder, scale=None):
    return [finding.text for finding in run_checks(folder, scale) if not finding.fault]


def set_dataset(**values):
    return lambda params: params["datasets"]["eurosat"].update(values)
