"""What people and models have written stands in the report as it is."""

from markdown_it import MarkdownIt

from training.evaluation.report import table_row

WRITTEN = [
    "**жирно** _и_ ~~нет~~ `код`",
    "[сюда](x) ![картинка](y) <b>тег</b> &amp; &lt;",
    "a|b \\| c \\\\ $x_1$ # раз",
    "- список",
]


def test_an_answer_is_no_markup():
    table = "\n".join(["| a | b | c | d |", "| --- | --- | --- | --- |", table_row(*WRITTEN)])
    read = MarkdownIt("gfm-like", {"linkify": False}).parse(table)
    cells = [token.children for token in read if token.type == "inline"][4:]
    assert [["text"] for _ in WRITTEN] == [sorted({part.type for part in cell}) for cell in cells]
    assert ["".join(part.content for part in cell) for cell in cells] == WRITTEN


def test_prose_is_readable_in_an_editor():
    prose = 'Хорошо, я объяснюсь с ним... (Пауза.) Что-то не то; да?! "Нет": 5 > 3'
    assert table_row(prose) == f"| {prose} |"
