"""Containers by LXC: recipe.py has the verbs, config.py writes LXC's configuration, roots.py manages the root
filesystems."""
