"""Each recipe of CONTRIBUTING.md is followed in a copy of the repository: it works, and tests miss what is left out."""

import re
from pathlib import Path

import pytest

from tests.recipes.checkout import Checkout
from tests.recipes.recipes import CONTRIBUTING, HERE, RECIPES

MISSED = [(recipe, step, node) for recipe in RECIPES for step in recipe.steps for node in step.missed_by]
FAILED = {1, 2}
"""pytest's exit codes: a test failed, or could not be imported."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("recipes") / "checkout")


def test_every_recipe_is_followed_here():
    headings = re.findall(r"^### (.+?)(?: \(copy .+\))?$", CONTRIBUTING.partition("## How to add")[2], re.MULTILINE)
    assert len(headings) > 5
    assert sorted(headings) == sorted(recipe.heading for recipe in RECIPES)
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {recipe.name for recipe in RECIPES}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_names_every_file_that_is_changed(recipe):
    """Or its folder, or its name alone after another file of its folder. New tests have names of their own."""
    folders = tuple(place for place in recipe.places if place.endswith("/"))
    named = {*recipe.places, *(Path(place).name for place in recipe.places if "/" not in place)}
    changed = {file for step in recipe.steps if not step.behaviour for file in step.files}
    changed -= {file for step in recipe.steps for file in step.new if file.startswith("tests/")}
    assert {file for file in changed if not file.startswith(folders) and not {file, Path(file).name} & named} == set()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_who_follows_a_recipe_has_what_it_promises(recipe, checkout):
    with checkout.following(recipe):
        ended = checkout.test(*recipe.tests)
    assert ended.code == 0, ended.said


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("recipe", [one for one in RECIPES if one.slow_tests], ids=lambda recipe: recipe.name)
def test_who_follows_a_recipe_passes_the_long_tests_too(recipe, checkout):
    with checkout.following(recipe):
        ended = checkout.test(*recipe.slow_tests, within=550)
    assert ended.code == 0, ended.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "step", "node"), MISSED, ids=[f"{recipe.name}-{node}" for recipe, _, node in MISSED]
)
def test_a_step_that_is_left_out_is_missed(recipe, step, node, checkout):
    with checkout.following(recipe, without=step):
        ended = checkout.test(node)
    assert ended.code in FAILED, ended.said
