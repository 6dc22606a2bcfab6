"""Merges derived from a vocabulary, and those among them that matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from functions.generate.engines.gguf import merges as all_merges
from functions.generate.engines.gguf.merges import Merge, Merges, derive_merges, drop_unused_merges

LETTERS = "abc"
pieces = st.text(LETTERS, min_size=2, max_size=6)
texts = st.lists(st.text(LETTERS, max_size=40), min_size=1, max_size=8)


def tokens_of(text: str, vocabulary: dict[str, int], merges: list[Merge]) -> list[int]:
    return list(Tokenizer(models.BPE(vocabulary, merges)).encode(text).ids)


def agree(vocabulary: dict[str, int], merges: Merges, said: list[str]) -> None:
    fewer, every = drop_unused_merges(merges).as_texts(), merges.as_texts()
    assert set(fewer) <= set(every)
    for text in (*said, *vocabulary):
        assert tokens_of(text, vocabulary, fewer) == tokens_of(text, vocabulary, every), text


@given(st.sets(pieces, max_size=40), st.randoms(use_true_random=False), texts)
def test_without_the_merges_that_never_come_about_all_texts_are_the_same_tokens(words, random, said):
    tokens = [*LETTERS, *sorted(words)]
    random.shuffle(tokens)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    agree(vocabulary, derive_merges({token: -number for token, number in vocabulary.items()}), said)


@given(st.sets(pieces, max_size=40), st.randoms(use_true_random=False), texts)
def test_merges_that_a_file_gives_in_any_order_are_thinned_out_safely(words, random, said):
    vocabulary = {token: number for number, token in enumerate([*LETTERS, *sorted(words)])}
    merges = derive_merges(dict.fromkeys(vocabulary, 0.0)).as_texts()
    random.shuffle(merges)
    agree(vocabulary, all_merges.index_merges([*merges[: random.randint(0, len(merges))], *merges[:1]]), said)


def test_one_merge_a_token_is_left():
    vocabulary = {token: number for number, token in enumerate(["a", "b", "c", "ab", "bc", "abc"])}
    merges = derive_merges({token: -number for token, number in vocabulary.items()})
    assert drop_unused_merges(merges).as_texts() == [
        ("a", "b"),
        ("b", "c"),
        ("ab", "c"),
    ]


def test_merges_of_byte_tokens_stay_since_they_stand_for_other_text():
    merges = [("a", "<0x0A>"), ("<", "0"), ("a<0", "x0A>"), ("b", "a<0x0A>")]
    every = all_merges.index_merges([*merges, ("a<0x0", "A>")])
    assert ("a", "<0x0A>") not in drop_unused_merges(every).as_texts()
    assert ("a", "<0x0A>") in drop_unused_merges(every, {"<0x0A>"}).as_texts()


@given(st.dictionaries(st.text(LETTERS, min_size=1, max_size=6), st.integers(-9, 0).map(float), max_size=40))
def test_merges_are_those_that_transformers_derives(scores):
    reference = pytest.importorskip("transformers.tokenization_utils_base").generate_merges
    numbers = {token: number for number, token in enumerate(scores)}
    assert derive_merges(scores).as_texts() == reference(numbers, scores)
