"""Containers by Podman: recipe.py has the verbs, engine.py calls Podman with storage of the lab's own."""
