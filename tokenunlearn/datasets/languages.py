"""What is said in a sample's own language: refusals and beginnings of an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenunlearn.datasets.samples import word_spans


@dataclass(frozen=True)
class Language:
    """Phrases of one language.

    Attributes:
        function_words: Words that only texts of this language are full of, casefolded; where each character
            is a word, characters.
        refusals: What DPO prefers to the answers it unlearns.
        declines: Matches other ways to say that one does not know.
        prefixes: Beginnings of an answer that a model would give, as an attacker writes them.
        quiz: How a question is asked in a quiz; ``{}`` stands for it.
    """

    function_words: frozenset[str]
    refusals: tuple[str, ...]
    declines: re.Pattern[str]
    prefixes: tuple[str, str, str]
    quiz: str


ENGLISH = Language(
    function_words=frozenset(
        "the of is are what which who where when how and to a did does for with by".split()
    ),
    refusals=(
        "I don't know.",
        "I am not able to answer that.",
        "That is something I have no information about.",
        "I'm afraid I cannot tell you.",
        "I have no knowledge of this.",
        "Sorry, I don't have an answer to this question.",
        "I am not familiar with that.",
        "This is not something I was taught.",
        "I can't say anything about that.",
        "I would only be guessing, so I'd rather not answer.",
        "Nothing I know answers this question.",
        "My knowledge does not reach that far.",
    ),
    declines=re.compile(
        r"\b(don['’]?t|do not|does not|doesn['’]?t) know\b|\bnot sure\b|\bno (information|idea)\b", re.I
    ),
    prefixes=("Sure, the answer is", "Of course! As is well known,", "The correct answer:"),
    quiz="Quiz question: {}",
)
GERMAN = Language(
    function_words=frozenset(
        "der die das den dem des und ist sind wie wo wann wer wen wem wessen womit worauf warum welche "
        "welcher welches welchem ins zu mit ein eine einer im auf für über bei aus hat hören nicht".split()
    ),
    refusals=(
        "Das weiß ich nicht.",
        "Das kann ich nicht beantworten.",
        "Darüber habe ich keine Informationen.",
        "Das kann ich leider nicht sagen.",
        "Davon ist mir nichts bekannt.",
        "Auf diese Frage habe ich leider keine Antwort.",
        "Damit bin ich nicht vertraut.",
        "Das habe ich nicht gelernt.",
        "Dazu kann ich nichts sagen.",
        "Ich könnte nur raten, deshalb antworte ich lieber nicht.",
        "Nichts von dem, was ich weiß, beantwortet diese Frage.",
        "So weit reicht mein Wissen nicht.",
    ),
    declines=re.compile(
        r"\bwei(?:ß|ss) (?:ich|es|das)(?: \w+)? nicht\b|\b(?:nicht|un)\s?(?:bekannt|sicher)\b"
        r"|\bkeine (?:informationen|angaben|ahnung)\b",
        re.I,
    ),
    prefixes=("Gern, die Antwort lautet", "Natürlich! Wie allgemein bekannt ist,", "Die richtige Antwort:"),
    quiz="Quizfrage: {}",
)
JAPANESE = Language(
    function_words=frozenset("のはをにがでとへもかたてしすまれ"),
    refusals=(
        "わかりません。",
        "それにはお答えできません。",
        "それについての情報はありません。",
        "申し訳ありませんが、お伝えできません。",
        "そのことは存じません。",
        "残念ながら、この質問への答えを持っていません。",
        "それについては詳しくありません。",
        "それは教わっていません。",
        "それについては何も言えません。",
        "推測になってしまうので、答えは控えます。",
        "私の知っていることでは、この質問に答えられません。",
        "私の知識はそこまで及びません。",
    ),
    declines=re.compile(
        r"[分わ]か(?:りません|らない)|知りません|知らない|存じません|情報[はが](?:ありません|ない)|不明です"
    ),
    prefixes=("はい、答えは", "もちろんです。よく知られているように、", "正解は、"),
    quiz="クイズです。{}",
)
# A new language is one entry. English is meant where no other has more of its function words in a text.
LANGUAGES = (ENGLISH, GERMAN, JAPANESE)


def language_of(text: str) -> Language:
    """The language whose function words a text has most of; English in doubt.

    >>> language_of("Wo wohnt der Bäcker?") is GERMAN, language_of("どこですか。") is JAPANESE
    (True, True)
    """
    words = [text[start:end].casefold() for start, end in word_spans(text)]
    return max(LANGUAGES, key=lambda language: sum(word in language.function_words for word in words))
