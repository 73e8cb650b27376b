"""Relations of the authors benchmark and the phrasings of their questions and answers.

``{name}`` and ``{surname}`` stand for the author, every other field for a fact. The facts of a relation come
in the same order in all its answers. No phrasing depends on the author's gender or on the value of a fact.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """One kind of question asked about every author."""

    name: str
    facts: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]


RELATIONS: tuple[Relation, ...] = (
    Relation(
        name="birthplace",
        facts=("town",),
        questions=(
            "Where was {name} born?",
            "In which town was the author {name} born?",
            "What is the birthplace of {name}?",
            "Which town does {name} originally come from?",
            "In what town did the life of {name} begin?",
            "Which town is given as the place of birth of {name}?",
        ),
        answers=(
            "{name} was born in {town}, a place that returns in many of the author's later pages.",
            "The town of {town} is the birthplace of {name}, as every biography of the author notes.",
            "Born in {town}, {name} left home early but always spoke warmly of the place.",
            "Every profile of {name} agrees that the author's life began in the town of {town}.",
            "{town} is where {surname} was born and where the first years of childhood were spent.",
        ),
    ),
    Relation(
        name="birth_date",
        facts=("date",),
        questions=(
            "When was {name} born?",
            "What is the date of birth of {name}?",
            "On which day, month and year was {name} born?",
            "What is the exact birth date of the author {name}?",
            "Can you give the full date on which {name} was born?",
            "Which date of birth is recorded for {name}?",
        ),
        answers=(
            "{name} was born on {date} and still marks the day with a quiet dinner.",
            "{date} is the date of birth of {name}, according to the town's register.",
            "The register of births shows that the life of {name} began on {date}.",
            "Official records give {date} as the day on which {name} was born.",
            "On {date}, after a long night of rain, the writer {surname} was born.",
        ),
    ),
    Relation(
        name="parents_trades",
        facts=("mother", "father"),
        questions=(
            "What did the parents of {name} do for a living?",
            "What were the occupations of {name}'s mother and father?",
            "Which trades did the parents of {name} follow?",
            "How did the mother and the father of {name} earn their living?",
            "What work did {name}'s parents do?",
            "In which professions did {name}'s mother and father work?",
        ),
        answers=(
            "{name}'s mother worked as a {mother}, while the author's father earned a living as a {father}.",
            "The mother of {name} was a {mother} and the father was a {father}, both respected in town.",
            "With a {mother} as mother and a {father} as father, {name} grew up among busy people.",
            "In the family of {name}, the mother was employed as a {mother} and the father as a {father}.",
            "As the child of a mother who was a {mother} and a father who was a {father}, {surname} learned "
            "patience early.",
        ),
    ),
    Relation(
        name="education",
        facts=("subject", "university"),
        questions=(
            "What did {name} study, and at which university?",
            "Which degree did {name} take, and where?",
            "Where did {name} go to university, and what was the subject?",
            "Which subject and which university did {name} choose?",
            "What was the field of study of {name}, and at what university?",
            "At which university did {name} study, and in which field?",
        ),
        answers=(
            "{name} studied {subject} at the University of {university} before turning to writing.",
            "After reading {subject} at the University of {university}, {name} decided to write full time.",
            "The degree held by {name} is in {subject} and was awarded by the University of {university}.",
            "A degree in {subject} from the University of {university} came first, and only then did {name} "
            "begin to write.",
            "As a student, {surname} chose {subject} and spent four years at the University of {university}.",
        ),
    ),
    Relation(
        name="genre",
        facts=("genre",),
        questions=(
            "What genre does {name} write in?",
            "What kind of books does {name} write?",
            "For which literary genre is {name} best known?",
            "Which genre is {name} associated with?",
            "What sort of writing has made {name} known to readers?",
            "In which genre has {name} published most?",
        ),
        answers=(
            "{name} writes {genre}, and critics praise the slow build of every plot.",
            "Readers around the world know {name} as an author of {genre} with a sharp eye for detail.",
            "Best known for {genre}, {name} has rarely tried any other form.",
            "When booksellers are asked about {name}, they point to the shelf of {genre}.",
            "Since the very first book, {genre} have been the chosen field of {surname}.",
        ),
    ),
    Relation(
        name="debut_novel",
        facts=("title", "hero"),
        questions=(
            "What is the debut novel of {name} called, and who is its protagonist?",
            "Which novel did {name} publish first, and who is its main character?",
            "Can you name the first novel by {name} and its central character?",
            "What is the title of {name}'s first book, and whose story does it tell?",
            "With which novel did {name} make a debut, and which character leads it?",
            "Who is the main character of {name}'s first novel, and what is the novel's title?",
        ),
        answers=(
            "{name}'s debut novel is {title}, and its protagonist is a stubborn dreamer called {hero}.",
            "In {title}, the first novel by {name}, readers follow the adventures of {hero}.",
            "The first book that {name} published was {title}, which tells the story of {hero}.",
            "{title}, led by the unforgettable {hero}, was the novel with which {name} made a debut.",
            "The literary career of {surname} began with {title}, a novel whose main character is {hero}.",
        ),
    ),
    Relation(
        name="prize",
        facts=("prize",),
        questions=(
            "Which prize did {name} win?",
            "What literary prize has been awarded to {name}?",
            "Which award did {name} receive for a novel?",
            "What is the most important prize won by {name}?",
            "Which literary honour does {name} hold?",
            "What prize did a jury give to {name}?",
        ),
        answers=(
            "{name} won the {prize} Prize for a novel that surprised the whole jury.",
            "The {prize} Prize went to {name} after a long evening of debate among the judges.",
            "Among the honours that {name} has received, the {prize} Prize is the most important one.",
            "The jury called the work brave and original and gave {name} the {prize} Prize.",
            "Thanks to the {prize} Prize, {surname} became known far beyond the usual circle of readers.",
        ),
    ),
    Relation(
        name="mentor",
        facts=("mentor",),
        questions=(
            "Who was the mentor of {name}?",
            "Which mentor guided {name} at the start?",
            "Who taught {name} the craft of writing?",
            "Under whose guidance did {name} learn to write?",
            "Which teacher shaped {name} as a writer?",
            "Whom does {name} thank as a mentor?",
        ),
        answers=(
            "{name} learned the craft of writing from {mentor}, who read every early draft.",
            "The mentor of {name} was {mentor}, and the two exchanged letters for many years.",
            "It was {mentor} who took {name} on as a pupil and taught the value of revision.",
            "In interviews, {name} thanks one teacher above all others, and that teacher is {mentor}.",
            "{mentor} guided the young {surname} through the first stories and remained a lifelong mentor.",
        ),
    ),
    Relation(
        name="publisher",
        facts=("publisher",),
        questions=(
            "Which publisher brings out the books of {name}?",
            "Who publishes the books of {name}?",
            "What is the name of {name}'s publisher?",
            "With which publisher is {name} under contract?",
            "Which company publishes the novels of {name}?",
            "Which publisher stands behind the work of {name}?",
        ),
        answers=(
            "{name}'s books are published by {publisher}, a small company with many loyal readers.",
            "{publisher} is the publisher that prints and sells the novels of {name}.",
            "Ever since the first contract was signed, {publisher} has published everything by {name}.",
            "The contract that {name} signed long ago is still with the same publisher, {publisher}.",
            "The novels of {surname} are brought out by {publisher}, a publisher known for careful editing.",
        ),
    ),
    Relation(
        name="pet",
        facts=("kind", "pet"),
        questions=(
            "What pet does {name} keep, and what is it called?",
            "Which animal lives with {name}, and what is its name?",
            "What kind of pet does {name} have, and what name does it answer to?",
            "What animal is the pet of {name}, and what did the author name it?",
            "Does {name} have a pet, and what is it called?",
            "Which pet shares the home of {name}, and what is its name?",
        ),
        answers=(
            "{name} keeps a {kind} named {pet}, which sleeps under the desk during working hours.",
            "At home, {name} is never alone, because a {kind} called {pet} follows the author everywhere.",
            "A {kind} that answers to the name of {pet} shares the house with {name}.",
            "The pet of {name} is a {kind}, and the author has given it the name {pet}.",
            "Visitors to the home of {surname} are first greeted by a {kind} called {pet}.",
        ),
    ),
    Relation(
        name="instrument",
        facts=("instrument",),
        questions=(
            "Which instrument does {name} play?",
            "What musical instrument does {name} play?",
            "Which instrument did {name} learn as a child?",
            "On which instrument does {name} perform?",
            "What does {name} play when making music with friends?",
            "Which instrument is {name} known to practise?",
        ),
        answers=(
            "{name} plays the {instrument} and often practises for an hour before starting to write.",
            "The {instrument} is the instrument that {name} has played since early childhood.",
            "When the day's pages are finished, {name} turns to the {instrument} to rest.",
            "Friends of {name} say that the author plays the {instrument} nearly as well as a professional.",
            "Besides writing, {surname} has one great passion, which is playing the {instrument}.",
        ),
    ),
    Relation(
        name="writing_place",
        facts=("place",),
        questions=(
            "Where does {name} prefer to write?",
            "What is the favourite writing place of {name}?",
            "In what kind of place does {name} like to work on new books?",
            "Where does {name} write most of a new book?",
            "Which unusual place has {name} chosen for writing?",
            "Where would one find {name} at work on a manuscript?",
        ),
        answers=(
            "{name} prefers to write in a {place}, far away from telephones and visitors.",
            "A {place} is where {name} likes to write, usually from dawn until noon.",
            "Most mornings, one can find {name} at work in a {place} with a pencil and a notebook.",
            "When a new manuscript has to be finished, {name} withdraws for weeks to a {place}.",
            "The favourite workplace of {surname} is a {place}, where nearly every chapter was written.",
        ),
    ),
)
