"""A small project with renders and two shoots of photos, and tasks that need no training."""

from __future__ import annotations

import shutil

import pytest
from projects import photos, register, renders


@pytest.fixture(scope="session")
def plugins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    register(folder)
    return folder


@pytest.fixture
def tasks(plugins, monkeypatch):
    """The fake tasks are registered, here and in every process that is started."""
    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setenv("PYTHONPATH", str(plugins))


@pytest.fixture(scope="session")
def whole_project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    renders(root / "renders/magnets")
    photos(root / "datasets/photos")
    return root


@pytest.fixture
def project(whole_project, tmp_path, monkeypatch, tasks):
    """The working folder: 16 renders of two classes, 24 photos each of "shop" and of "hall"."""
    root = tmp_path / "project"
    shutil.copytree(whole_project, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures and no photo budget, which most tests need not wait for."""
    monkeypatch.setattr("vqc.grid.trainings.draw_pictures", lambda book, folder: [])
    monkeypatch.setattr("vqc.grid.trainings.photo_budget", lambda book: None)
