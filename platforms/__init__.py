"""The pipeline on bare metal, in containers and in virtual machines, by the same verbs. See docs/platforms.md."""
