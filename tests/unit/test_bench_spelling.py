"""Text is scored in the tokens that a narrowed model has kept."""

from benchmarks.spelling import Speller

BYTES = {f"<0x{byte:02X}>": 1000 + byte for byte in range(256)}
PIECES = {"▁smart": 0, "phone": 1, "▁smartphone": 2, "▁": 3, "s": 4, "mart": 5, "é": 6, "ph": 7, "one": 8, **BYTES}


def speller(*dropped: str) -> Speller:
    return Speller(PIECES, set(PIECES.values()) - {PIECES[piece] for piece in dropped})


def test_what_is_kept_stays_as_it_is():
    assert speller().spelled([2, 6, 1000]) == [2, 6, 1000]


def test_a_dropped_token_is_spelled_in_the_fewest_pieces():
    assert speller("▁smartphone").spelled([6, 2]) == [6, 0, 1]
    assert speller("▁smartphone", "phone").spelling(2) == [0, 7, 8]


def test_single_characters_cost_more_than_longer_pieces():
    assert speller("▁smartphone", "▁smart").spelling(2) == [3, 4, 5, 1]


def test_what_no_piece_has_is_spelled_byte_by_byte():
    assert speller("é").spelling(6) == [1000 + 0xC3, 1000 + 0xA9]
    assert speller("▁smartphone", "▁smart", "▁").spelling(2) == [1000 + 0x20, 4, 5, 1]
