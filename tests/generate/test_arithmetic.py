"""What GENERATE_ARITHMETIC means on which processor."""

import pytest

from functions.generate.engines.openvino import model_spec
from functions.generate.engines.openvino.model_spec import EXACT, FAST, plugin_properties, resolve_arithmetic
from functions.generate.settings import Arithmetic, GenerateSettings

PROCESSORS = {
    "AMD Zen 4": ({"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16"}, Arithmetic.FAST),
    "Intel with AMX": ({"avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}, Arithmetic.FAST),
    "Intel Alder Lake": ({"avx2", "fma", "avx_vnni"}, Arithmetic.FAST),
    "AVX2 alone": ({"avx2", "fma"}, Arithmetic.EXACT),
    "unknown": (set(), Arithmetic.EXACT),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_auto_rounds_activations_where_the_processor_multiplies_bytes(name: str) -> None:
    instructions, expected = PROCESSORS[name]
    assert resolve_arithmetic(Arithmetic.AUTO, instructions) is expected


@pytest.mark.parametrize("chosen", [Arithmetic.EXACT, Arithmetic.FAST])
def test_what_is_chosen_holds_on_every_processor(chosen: Arithmetic) -> None:
    assert {resolve_arithmetic(chosen, instructions) for instructions, _ in PROCESSORS.values()} == {chosen}


def test_auto_is_the_default_and_reads_this_processor(tmp_path, monkeypatch) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(model_spec, "_PROCESSOR", file)
    chosen = GenerateSettings.model_fields["arithmetic"].default
    assert plugin_properties(chosen) == EXACT  # nobody says
    file.write_text("processor\t: 0\nflags\t\t: fpu avx512_vnni\n", encoding="ascii")
    assert plugin_properties(chosen) == FAST
