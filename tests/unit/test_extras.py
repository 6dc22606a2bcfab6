"""What is missing is installed from a checkout or a wheel: no registry has a package of ours."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from events.extras import install_command

ROOT = Path(__file__).parents[2]

VERSION = version("timokha")


def checkout(directory):
    (directory / "deploy").mkdir()
    (directory / "deploy/setup.sh").touch()
    return directory


def test_in_a_checkouts_own_environment_make_brings_it(tmp_path):
    said = install_command("openvino", "transformers", root=checkout(tmp_path), environment=str(tmp_path / ".venv"))
    assert said == f'make venv EXTRAS="openvino transformers", in {tmp_path}'


def test_in_another_environment_that_make_has_made_make_brings_it_there(tmp_path):
    said = install_command("openai", root=checkout(tmp_path), environment=str(tmp_path / "build/venv-3.13"))
    assert said == f'make venv VENV=build/venv-3.13 EXTRAS="openai", in {tmp_path}'


def test_in_another_environment_of_a_checkout_pip_brings_it(tmp_path):
    said = install_command("rabbitmq", root=checkout(tmp_path), environment="/elsewhere")
    assert said == f"pip install --editable '{tmp_path}[rabbitmq]'"


def test_an_image_is_built_with_it(tmp_path):
    (tmp_path / "image").write_text("generate\n")
    said = install_command("transformers", root=tmp_path / "lib", environment=str(tmp_path))
    how = "then make up builds the image timokha-generate with it"
    assert said == f'IMAGE_EXTRAS="transformers" in .env, {how}'


@pytest.mark.parametrize(
    ("here", "extra", "there"),
    [
        ("userbot", "openvino", "generate"),
        ("userbot", "rabbitmq", "bridge"),
        ("generate", "userbot", "userbot"),
        ("bridge", "openai", "generate"),
        ("userbot", "sandbox", "sandbox"),
    ],
)
def test_what_another_image_has_is_not_built_into_this_one(tmp_path, here, extra, there):
    (tmp_path / "image").write_text(f"{here}\n")
    said = install_command(extra, root=tmp_path / "lib", environment=str(tmp_path))
    assert said == f"this is the image timokha-{here}; timokha-{there} has it"


def test_where_a_wheel_is_installed_pip_takes_that(tmp_path):
    said = install_command("openvino", "transformers", root=tmp_path)
    assert said == (f"pip install 'timokha-{VERSION}-py3-none-any.whl[openvino,transformers]', where that wheel is")


@pytest.mark.slow
def test_what_is_said_where_a_wheel_is_installed_can_be_typed_there(tmp_path):
    run("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT))
    run("venv", "--system-site-packages", str(tmp_path / "worker"))
    worker = str(tmp_path / "worker/bin/python")
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([worker, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], cwd=tmp_path, check=True)
    ask = [worker, "-I", "-c", "from events.extras import install_command; print(install_command('speedups'))"]
    said = subprocess.run(ask, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
    assert said == f"pip install '{wheel.name}[speedups]', where that wheel is"


def run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)
