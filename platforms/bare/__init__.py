"""Bare metal: the roles as supervised processes of the host itself."""
