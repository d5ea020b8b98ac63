from mmrare_judge.data.items import Item
from mmrare_judge.judging.questions import Questions
from mmrare_judge.rubric.model import load_rubric
from support.makers import make_item, make_questions, small_rubric


def elements(item: Item) -> list[str | None]:
    questions = Questions(load_rubric("treatment_elements"), item, "Rest.")
    return [question.element for question in questions.all if question.element]


def test_each_item_is_asked_about_its_own_elements() -> None:
    first = make_item(reference={"must_include": ["zinc", "copper"]})
    second = make_item(reference={"must_include": ["zinc"]})
    assert [elements(item) for item in (first, second, first)] == [
        ["zinc", "copper"],
        ["zinc"],
        ["zinc", "copper"],
    ]


def test_a_criterion_whose_list_is_empty_is_asked_as_a_whole() -> None:
    questions = make_questions("Rest.", rubric="treatment_elements", reference={"must_include": []})
    assert [q.key for q in questions.all] == [c.id for c in questions.rubric.criteria]


def test_equal_rubrics_that_list_their_levels_differently_are_asked_as_they_stand() -> None:
    there = small_rubric()
    levels = {label: there.criteria[0].levels[label] for label in ("YES", "NO")}
    turned = there.criteria[0].model_copy(update={"levels": levels})
    back = there.model_copy(update={"criteria": (turned, *there.criteria[1:])})
    assert there == back
    orders = [list(make_questions("a", rubric=one).all[0].levels) for one in (there, back)]
    assert orders == [["NO", "YES"], ["YES", "NO"]]
