"""Runs the pipeline on bare metal, in containers and in virtual machines, with the same verbs. See
docs/platforms.md."""
