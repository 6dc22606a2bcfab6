"""What the doctor says of the parts that it can't see: nothing is passed over in silence."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cli.doctor.findings import PRODUCT_PARTS, Level, notes_on_other_parts
from cli.doctor.telegram import examine_business
from edge.business.settings import BusinessSettings
from edge.sandbox.business_types import HAS_BUSINESS

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_on_a_machine_that_runs_all_of_its_parts_nothing_is_left_to_say() -> None:
    assert list(notes_on_other_parts(["userbot", "generate"], "")) == []


def test_on_a_workers_machine_the_userbot_is_asked_where_it_runs() -> None:
    [finding] = notes_on_other_parts(["generate"], "")
    assert finding.level is Level.NOTE
    assert finding.text == (
        "userbot: its settings and the Telegram session can't be seen from here;"
        " `timokha doctor --parts userbot` where it runs does"
    )


@pytest.mark.parametrize("here", ["none", *PRODUCT_PARTS])
def test_in_a_container_every_other_part_is_named_with_the_container_that_sees_it(here: str) -> None:
    findings = {finding.text.partition(":")[0]: finding for finding in notes_on_other_parts([here], "userbot")}
    assert findings.keys() == PRODUCT_PARTS.keys() - {here}
    for name, finding in findings.items():
        assert finding.level is Level.NOTE
        assert f"`docker compose run --rm --no-deps {PRODUCT_PARTS[name].service} doctor`" in finding.text


def test_the_container_that_is_named_looks_at_that_part() -> None:
    for name, part in PRODUCT_PARTS.items():
        assert SERVICES[part.service]["environment"]["DOCTOR_PARTS"] == name


@pytest.mark.parametrize(("parts", "has"), [("none", ()), ("bridge", ("aio_pika",)), ("generate", ("tokenizers",))])
def test_the_doctor_starts_in_every_image(parts: str, has: tuple[str, ...], tmp_path: Path) -> None:
    roles = {"aio_pika", "aiolimiter", "cryptography", "markdown_it", "mtproto", "prompt_toolkit", "pyrogram", "regex"}
    absent = (roles | {"openvino", "openvino_genai", "tokenizers", "numpy", "torch", "transformers"}) - set(has)
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in sorted(absent))
    arguments = ["timokha", "doctor", "--parts", parts, "--nats-url", "nats://"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {blocked}; sys.argv = {arguments!r}; import cli; cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in result.stderr
    assert "wrong  NATS_URL: got 'nats://'" in result.stdout
    assert result.returncode == 1


def test_where_the_business_edge_runs_its_client_and_session_are_examined(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = BusinessSettings.read(api_id="1", api_hash="a", bot_token="7:a")
    findings = list(examine_business(settings))
    said = [finding.text for finding in findings if finding.level is Level.WRONG]
    assert [one for one in said if "kurigram" in one] == said
    assert bool(said) != HAS_BUSINESS
    assert "Telegram session: none yet; the first start signs in with BOT_TOKEN" in [one.text for one in findings]


def test_beside_the_business_edge_no_userbot_is_missed() -> None:
    assert "userbot" not in {finding.text.partition(":")[0] for finding in notes_on_other_parts(["business"], "")}
