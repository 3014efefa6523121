"""Containers by Podman: recipe.py has the verbs, engine.py calls Podman with the lab's own storage."""
