"""The judge excuses a silence only where the owner explains it, and finds answers that the owner was against."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.userbot import draft_phrases
from tests.chaos.acts import Act, SeenDraft
from tests.chaos.chronicle import FOR_EVER, Chronicle, Disturbance
from tests.chaos.edges import BOT, USER, Edge
from tests.chaos.judge import Judge
from tests.chaos.logbook import Logbook
from tests.chaos.owned import Owned
from tests.chaos.owner import Owner
from tests.chaos.users import Question

ANNA, BORIS = 2, 3
DRAFT = "Черновик ответа: вопрос"


def an_edge(kind: str = USER) -> Edge:
    owner = SimpleNamespace(id=1, box=SimpleNamespace(messages={}))
    return Edge(kind, owner, {}, Path("userbot.log"), owner)


def a_question(number: int, asked_at: float, answered_at: float | None = None, user: int = ANNA) -> Question:
    return Question(an_edge(), user, number, number, f"вопрос {number}", asked_at, 0, answered_at)


def did(what: str, at: float, number: int, user: int | None = ANNA, **known) -> Act:
    return Act(what, user, at, number, number, **known)


@pytest.fixture
def make_owned(monkeypatch):
    """`make_owned(questions, acts, …)`; questions with `answered_at` have their own text as the answer."""

    def make(questions, acts=(), *, log=None, noted=(), kind=USER, approving=(), drafts=()) -> Owned:
        def ends(_world, question):
            return [SimpleNamespace(text=question.text)] if question.answered_at else []

        monkeypatch.setattr("tests.chaos.owned.outcomes", ends)
        owner = Owner(None, None, an_edge(kind), 4, None, list(acts), list(drafts), frozenset(approving))
        return Owned(owner, questions, log or Logbook(), Chronicle(list(noted)), [])

    return make


def settled(number: int, outcome: str) -> Logbook:
    log = Logbook()
    log.outcomes[str(ANNA), str(number)].add(outcome)
    return log


@pytest.mark.parametrize(
    ("what", "outcome", "kind"), [("wrote", "owner_took_over", "taken_over"), ("cancel", "cancelled", "cancelled")]
)
def test_the_owner_explains_the_silence_of_what_was_asked_before(make_owned, what, outcome, kind) -> None:
    question, act = a_question(5, 100), did(what, 103, 6, done_at=104)
    log = settled(5, outcome)

    def explained(act: Act, log: Logbook | None = log):
        return make_owned([question], [act], log=log).explain(question, never_asked=False, counted=0)

    assert explained(act)[0] == kind
    assert explained(act, None) is None
    assert explained(did(what, 90, 4)) is None
    assert explained(did(what, 103, 6, BORIS)) is None


def test_a_killed_userbot_may_have_taken_the_line_along(make_owned) -> None:
    question, act = a_question(5, 100), did("wrote", 103, 6)
    owned = make_owned([question], [act], noted=[Disturbance("kill", USER, 103, 104)])
    assert owned.explain(question, never_asked=False, counted=0) is None
    assert owned.explain(question, never_asked=False, counted=0, unlogged=True)[0] == "taken_over"
    calm = make_owned([question], [act])
    assert calm.explain(question, never_asked=False, counted=0, unlogged=True) is None


@pytest.mark.parametrize(("what", "kind"), [("pause", "paused"), ("deny", "denied")])
def test_only_what_was_asked_meanwhile_is_refused(make_owned, what, kind) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    meanwhile, later = a_question(6, 102), a_question(7, 105)
    owned = make_owned([meanwhile, later], [act])
    assert owned.explain(meanwhile, never_asked=True, counted=0)[0] == kind
    assert owned.explain(meanwhile, never_asked=False, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=4)[0] == "day_limit"


@pytest.mark.parametrize("what", ["pause", "deny"])
def test_nobody_is_answered_between_an_order_that_was_carried_out_and_its_end(make_owned, what) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    assert list(make_owned([a_question(6, 102, 102.5)], [act]).wrongs()) == [
        f"answered despite /{what}: 1.2.6 вопрос 6"
    ]
    assert not list(make_owned([a_question(6, 103.5, 104.5), a_question(4, 99, 103)], [act]).wrongs())


def test_nobody_is_answered_once_the_owner_has_taken_over(make_owned) -> None:
    log, act = Logbook(owner_wrote={6: 103.1}), did("wrote", 103, 6)
    late, in_time = a_question(5, 100, 106), a_question(5, 100, 103.2)
    assert list(make_owned([late], [act], log=log).wrongs()) == ["answered after wrote: 1.2.5 вопрос 5"]
    assert not list(make_owned([in_time], [act], log=log).wrongs())


def test_a_rejected_answer_is_never_sent(make_owned) -> None:
    question = a_question(5, 100, 106)
    act = did("reject", 103, 6, None, questions=frozenset({question.name}), done_at=104)
    act.said = draft_phrases.rejected("ru", "Анна")
    wrongs = list(make_owned([question], [act]).wrongs())
    assert wrongs == ["answered although rejected: 1.2.5 вопрос 5"]
    act.said = draft_phrases.over("ru")
    assert not list(make_owned([question], [act]).wrongs())


def test_what_needs_approval_is_answered_with_it_or_once_the_time_is_over(make_owned) -> None:
    question = a_question(5, 100, 103)
    approved = did("approve", 102, 6, None, questions=frozenset({question.name}))
    assert list(make_owned([question], approving=[ANNA]).wrongs()) == ["answered without approval: 1.2.5 вопрос 5"]
    assert not list(make_owned([question], [approved], approving=[ANNA]).wrongs())
    assert list(make_owned([question], approving=[ANNA], kind=BOT).wrongs())
    assert not list(make_owned([a_question(5, 100, 106)], approving=[ANNA], kind=BOT).wrongs())


def test_a_draft_that_nobody_decides_about_expires_for_a_user_account_only(make_owned) -> None:
    question = a_question(5, 100)
    draft = SeenDraft(9, DRAFT, frozenset({question.name}), 101, None, gone_at=107)
    known = {"approving": [ANNA], "drafts": [draft]}
    assert make_owned([question], **known).explain(question, never_asked=False, counted=0)[0] == "expired"
    assert make_owned([question], **known, kind=BOT).explain(question, never_asked=False, counted=0) is None
    draft.acts.append(did("approve", 102, 10, None, said=draft_phrases.sent("ru", "Анна")))
    assert make_owned([question], **known).explain(question, never_asked=False, counted=0) is None


def test_a_request_has_one_draft(make_owned) -> None:
    question = a_question(5, 100)
    drafts = [SeenDraft(number, DRAFT, frozenset({question.name}), 101, None) for number in (9, 10)]
    assert any("two drafts" in wrong for wrong in make_owned([question], drafts=drafts).wrongs())
    assert not list(make_owned([question], drafts=drafts[:1]).wrongs())
    emptied = Disturbance("emptied", "nats", 102, 103, USER)
    assert not list(make_owned([question], drafts=drafts, noted=[emptied]).wrongs())


def test_a_message_taken_for_the_owners_is_found_without_an_owner_too() -> None:
    world = SimpleNamespace(chronicle=Chronicle())
    storm = SimpleNamespace(faults=SimpleNamespace(refused=Counter(), malformed=set()))
    crowd, book = SimpleNamespace(asked=[], breaks=[]), Logbook(owner_wrote={17: 100.0})
    judge = Judge(world, crowd, storm, book, an_edge())
    assert judge._totals(judge._verdict) == ["userbot: took its own messages for the owner's: [17]"]


def test_a_pause_that_is_not_taken_back_yet_lasts() -> None:
    assert did("pause", 100, 5, done_at=101).holds_at(10**9)
    assert not did("pause", 100, 5).holds_at(FOR_EVER)


@pytest.mark.parametrize(("first", "kind"), [(set(), "expired"), ({(str(ANNA), "6")}, None)])
def test_a_question_shares_the_fate_of_the_next_one_that_was_joined_with_it(make_owned, first, kind) -> None:
    questions = [a_question(5, 100), a_question(6, 101), a_question(7, 102)]
    log = settled(7, "expired")
    log.joined, log.first = {(str(ANNA), "7")}, first
    owned = make_owned(questions, log=log, approving=[ANNA])
    explained = owned.explain(questions[0], never_asked=False, counted=0)
    assert (explained and explained[0]) == kind
