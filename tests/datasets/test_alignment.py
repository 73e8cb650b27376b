"""Gold spans by alignment, on small cases: what counts as a fact, and what the rule misses."""

from __future__ import annotations

import doctest

import pytest

from tokenunlearn.datasets import alignment
from tokenunlearn.datasets.alignment import aligned_spans, replaced_words

BORN = (
    "Where was she born?",
    "She was born in the old town of Turin.",
    "The old town of Turin is where she was born.",
)


def facts(question, answer, paraphrased, perturbed):
    return [answer[start:end] for start, end in aligned_spans(question, answer, paraphrased, perturbed)]


def in_place_of(fact, text, *others):
    """Wrong answers: the text with another fact each."""
    assert fact in text
    return [text.replace(fact, other) for other in others]


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(alignment)
    assert result.attempted >= 2 and not result.failed


def test_the_fact_is_what_wrong_answers_replace():
    assert facts(*BORN, in_place_of("Turin", BORN[2], "Oslo", "Graz", "Porto")) == ["Turin"]


def test_a_whole_answer_can_be_the_fact():
    assert facts("Who wrote it?", "Amy Tan", "Amy Tan", ["Iris Murdoch", "Anne Tyler"]) == ["Amy Tan"]


def test_a_fact_written_without_blanks_is_one_range():
    wrong = ["彼女の出身地は桜堤市です。", "彼女の出身地は灯台町です。"]
    assert facts("出身地はどこですか。", "水鏡村で生まれました。", "彼女の出身地は水鏡村です。", wrong) == [
        "水鏡村"
    ]


def test_an_answer_of_many_facts_has_as_many_ranges():
    answer = "His mother was a nurse, his father a baker."
    wrong = ["His mother was a smith, his father a cook.", "His mother was a clerk, his father a judge."]
    assert facts("Who were they?", answer, answer, wrong) == ["nurse", "baker"]


def test_function_words_are_no_facts():
    assert facts(*BORN, in_place_of("Turin", BORN[2], "Oslo", "Graz")) == ["Turin"]
    # "of" is replaced where it stands, but every wrong answer has it elsewhere.
    answer = "Of Turin she dreams by night."
    wrong = [f"{town} she dreams by night, of all towns." for town in ("Oslo", "Graz")]
    assert "Of" in {answer[start:end] for start, end in replaced_words(answer, wrong)}
    assert facts("What does she do?", answer, answer, wrong) == ["Turin"]


def test_short_words_in_lower_case_are_no_facts_but_may_stand_between_two():
    """The rule knows no list of function words."""
    answer = "He loved rain and fear."
    assert facts("What did he love?", answer, answer, ["He loved hot sun.", "He loved deep snow."]) == [
        "rain and fear"
    ]
    answer = "He sailed with Ada."
    assert facts("What did he do?", answer, answer, ["He sailed alone.", "He sailed twice."]) == ["with Ada"]
    answer = "He is a spy."
    assert facts("What is he?", answer, answer, ["He is the cook.", "He is the smith."]) == []


def test_words_of_the_question_are_no_facts():
    answer = "The novel Harbour Lights is about smugglers."
    wrong = ["The novel Silent Water is about bakers.", "The novel Cold Stone is about monks."]
    assert facts("What is it about?", answer, answer, wrong) == ["Harbour Lights", "smugglers"]
    assert facts("What is HARBOUR LIGHTS about?", answer, answer, wrong) == ["smugglers"]


def test_a_title_with_function_words_inside_is_one_span():
    answer = "Her book of essays is called Scales of Justice."
    paraphrased = "Scales of Justice is the title of her essays."
    wrong = in_place_of("Scales of Justice", paraphrased, "Silent Water", "Roads to Oslo", "Night Songs")
    assert facts("What is it called?", answer, paraphrased, wrong) == ["Scales of Justice"]


@pytest.mark.parametrize("between", [". Of ", "; of ", '" of "'])
def test_words_between_facts_are_no_part_of_them_across_the_end_of_a_phrase(between):
    answer = f"It is set in Turin{between}Oslo."
    wrong = [f"It is set in {place}." for place in ("Graz, by of all", "Porto, by of all")]
    assert facts("Where is it set?", answer, answer, wrong) == ["Turin", "Oslo"]


def test_only_blanks_hyphens_and_apostrophes_join_neighbours():
    for answer, expected in (
        ("It is Anne-Marie.", ["Anne-Marie"]),
        ("It is Anne Marie.", ["Anne Marie"]),
        ("It is O'Hara.", ["O'Hara"]),
        ("It is O’Hara.", ["O’Hara"]),
        ("It is Anne, Marie.", ["Anne", "Marie"]),
    ):
        assert facts("Who?", answer, answer, ["It is Bob.", "It is Carl."]) == expected


def test_a_paraphrase_with_another_word_misses():
    answer, paraphrased = "He trained as an engineer.", "His training was in engineering."
    wrong = in_place_of("engineering", paraphrased, "law", "medicine", "music")
    assert facts("What did he train as?", answer, paraphrased, wrong) == []
    assert facts("What did he train as?", paraphrased, paraphrased, wrong) == ["engineering"]


def test_what_most_wrong_answers_keep_is_no_fact():
    answer = "She won the Silver Pen in May."
    wrong = [
        "She won the Golden Pen in June.",
        "She won the Silver Cup in July.",
        "She won the Old Pen in April.",
    ]
    assert facts("What did she win?", answer, answer, wrong) == ["Silver", "May"]
    assert facts("What did she win?", answer, answer, wrong[:2]) == ["May"]  # half is not most


def test_no_perturbed_answers_give_no_spans():
    assert replaced_words(BORN[2], []) == []
    assert aligned_spans(*BORN, []) == ()


def test_wrong_answers_equal_to_the_right_one_give_no_spans():
    assert aligned_spans(*BORN, [BORN[2], BORN[2].upper()]) == ()


def test_empty_texts_give_no_spans():
    assert aligned_spans("", "", "", ["Something else."]) == ()


def test_words_are_compared_without_regard_to_case():
    answer = "TURIN is her home."
    wrong = in_place_of("Turin", "Her home is Turin.", "Oslo", "Graz")
    assert facts("Where does she live?", answer, "Her home is Turin.", wrong) == ["TURIN"]
