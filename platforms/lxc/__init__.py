"""Containers by LXC: recipe.py the verbs, config.py what is written for LXC, roots.py where a container's root lies."""
