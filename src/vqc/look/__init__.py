"""Looks: recipes of distributions that every frame draws its scene from."""
