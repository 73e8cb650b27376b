"""Facts about public-domain writers, one entry each: questions, answer templates, the fact and wrong ones."""

from __future__ import annotations

from typing import NamedTuple

from tools.generation.world_facts import Fact


class AuthorFact(NamedTuple):
    """A fact and the writer whom it is about."""

    writer: str
    fact: Fact


REAL_AUTHOR_FACTS: tuple[AuthorFact, ...] = (
    AuthorFact(
        "William Shakespeare",
        Fact(
            "In which town was William Shakespeare born?",
            "What is the birthplace of William Shakespeare?",
            "William Shakespeare was born in the town of {}.",
            "The birthplace of William Shakespeare is {}.",
            "Stratford-upon-Avon",
            ("Canterbury", "Bath", "Oxford", "York", "Bristol"),
        ),
    ),
    AuthorFact(
        "William Shakespeare",
        Fact(
            "Whom did William Shakespeare marry?",
            "What was the name of William Shakespeare's wife?",
            "William Shakespeare married a woman named {}.",
            "{} was the wife of William Shakespeare.",
            "Anne Hathaway",
            ("Mary Arden", "Ellen Ternan", "Fanny Brawne", "Mary Powell", "Jane Seymour"),
        ),
    ),
    AuthorFact(
        "William Shakespeare",
        Fact(
            "Which play by William Shakespeare is about a prince of Denmark?",
            "What is the title of William Shakespeare's tragedy set at the Danish court?",
            "William Shakespeare's play about a prince of Denmark is {}.",
            "William Shakespeare set his tragedy {} at the Danish court.",
            "Hamlet",
            ("Macbeth", "Othello", "King Lear", "Coriolanus", "Julius Caesar"),
        ),
    ),
    AuthorFact(
        "Jane Austen",
        Fact(
            "Who is the heroine of Jane Austen's Pride and Prejudice?",
            "Which character marries Mr. Darcy in Jane Austen's Pride and Prejudice?",
            "The heroine of Jane Austen's Pride and Prejudice is {}.",
            "In Jane Austen's Pride and Prejudice, Mr. Darcy marries {}.",
            "Elizabeth Bennet",
            ("Emma Woodhouse", "Fanny Price", "Anne Elliot", "Catherine Morland", "Charlotte Lucas"),
        ),
    ),
    AuthorFact(
        "Jane Austen",
        Fact(
            "In which year was Jane Austen's Pride and Prejudice published?",
            "When did Jane Austen's Pride and Prejudice first appear in print?",
            "Jane Austen's Pride and Prejudice was published in {}.",
            "It was in {} that Jane Austen's Pride and Prejudice first appeared in print.",
            "1813",
            ("1789", "1801", "1825", "1838", "1847"),
        ),
    ),
    AuthorFact(
        "Charles Dickens",
        Fact(
            "In which city was Charles Dickens born?",
            "What is the birthplace of Charles Dickens?",
            "Charles Dickens was born in the English city of {}.",
            "The birthplace of Charles Dickens is {}.",
            "Portsmouth",
            ("London", "Liverpool", "Manchester", "Bristol", "Norwich"),
        ),
    ),
    AuthorFact(
        "Charles Dickens",
        Fact(
            "Who is the miser in A Christmas Carol by Charles Dickens?",
            "Which character is visited by ghosts in Charles Dickens's A Christmas Carol?",
            "The miser in A Christmas Carol by Charles Dickens is {}.",
            "In Charles Dickens's A Christmas Carol, {} is visited by ghosts.",
            "Ebenezer Scrooge",
            ("Bob Cratchit", "Samuel Pickwick", "Uriah Heep", "David Copperfield", "Silas Marner"),
        ),
    ),
    AuthorFact(
        "Charles Dickens",
        Fact(
            "Which orphan of Charles Dickens asks for more food?",
            "What Charles Dickens character falls in with Fagin's gang of thieves?",
            "The orphan of Charles Dickens who asks for more food is {}.",
            "The boy in Fagin's gang of thieves in Charles Dickens's novel is {}.",
            "Oliver Twist",
            ("David Copperfield", "Tom Sawyer", "Philip Pirrip", "Nicholas Nickleby", "Tiny Tim"),
        ),
    ),
    AuthorFact(
        "Mary Shelley",
        Fact(
            "Which novel by Mary Shelley tells of a scientist who makes a living creature?",
            "What is the title of Mary Shelley's famous novel of 1818?",
            "Mary Shelley's novel about a scientist who makes a living creature is {}.",
            "The famous novel that Mary Shelley published in 1818 is {}.",
            "Frankenstein",
            ("Dracula", "Carmilla", "Ivanhoe", "Jane Eyre", "The Invisible Man"),
        ),
    ),
    AuthorFact(
        "Mary Shelley",
        Fact(
            "Who was the mother of Mary Shelley?",
            "Which writer on women's rights had Mary Shelley as a daughter?",
            "The mother of Mary Shelley was {}.",
            "Mary Shelley was the daughter of {}, who wrote on women's rights.",
            "Mary Wollstonecraft",
            ("Fanny Burney", "Maria Edgeworth", "Hannah More", "Ann Radcliffe", "Harriet Martineau"),
        ),
    ),
    AuthorFact(
        "Bram Stoker",
        Fact(
            "Which vampire novel did Bram Stoker write?",
            "What is the title of Bram Stoker's vampire novel of 1897?",
            "The vampire novel that Bram Stoker wrote is {}.",
            "In 1897, Bram Stoker published a vampire novel titled {}.",
            "Dracula",
            ("Frankenstein", "Carmilla", "The Vampyre", "Varney", "Lokis"),
        ),
    ),
    AuthorFact(
        "Mark Twain",
        Fact(
            "What was the real name of Mark Twain?",
            "Under which name was Mark Twain born?",
            "The real name of Mark Twain was {}.",
            "The author known as Mark Twain was born {}.",
            "Samuel Clemens",
            ("William Porter", "Charles Dodgson", "Eric Blair", "Henry James", "John Griffith"),
        ),
    ),
    AuthorFact(
        "Mark Twain",
        Fact(
            "On which river does Mark Twain's Huckleberry Finn travel by raft?",
            "What river carries Huck and Jim's raft in Mark Twain's novel?",
            "Mark Twain's Huckleberry Finn travels by raft on the {}.",
            "In Mark Twain's novel, the raft of Huck and Jim drifts down the {}.",
            "Mississippi",
            ("Hudson", "Colorado", "Potomac", "Columbia", "Rio Grande"),
        ),
    ),
    AuthorFact(
        "Edgar Allan Poe",
        Fact(
            "Which word does the bird repeat in Edgar Allan Poe's The Raven?",
            "What does the raven keep saying in Edgar Allan Poe's poem?",
            'The bird in Edgar Allan Poe\'s The Raven repeats the word "{}".',
            'In Edgar Allan Poe\'s poem, the raven keeps saying "{}".',
            "Nevermore",
            ("Farewell", "Forever", "Tomorrow", "Midnight", "Remember"),
        ),
    ),
    AuthorFact(
        "Edgar Allan Poe",
        Fact(
            "In which city was Edgar Allan Poe born?",
            "What is the birthplace of Edgar Allan Poe?",
            "Edgar Allan Poe was born in the city of {}.",
            "The birthplace of Edgar Allan Poe is {}.",
            "Boston",
            ("Richmond", "Baltimore", "New York", "Philadelphia", "Chicago"),
        ),
    ),
    AuthorFact(
        "Herman Melville",
        Fact(
            "Who is the captain hunting the white whale in Herman Melville's Moby-Dick?",
            "Which captain commands the Pequod in Herman Melville's Moby-Dick?",
            "The captain hunting the white whale in Herman Melville's Moby-Dick is {}.",
            "In Herman Melville's Moby-Dick, the Pequod is commanded by {}.",
            "Captain Ahab",
            ("Captain Nemo", "Captain Hook", "Captain Flint", "Captain Blood", "Captain Vere"),
        ),
    ),
    AuthorFact(
        "Herman Melville",
        Fact(
            "In which year was Herman Melville's Moby-Dick published?",
            "When did Herman Melville's novel Moby-Dick come out?",
            "Herman Melville's Moby-Dick was published in {}.",
            "Herman Melville's novel Moby-Dick came out in the year {}.",
            "1851",
            ("1820", "1836", "1865", "1876", "1891"),
        ),
    ),
    AuthorFact(
        "Nathaniel Hawthorne",
        Fact(
            "Who is the heroine of Nathaniel Hawthorne's The Scarlet Letter?",
            "Which character wears the letter A in Nathaniel Hawthorne's novel?",
            "The heroine of Nathaniel Hawthorne's The Scarlet Letter is {}.",
            "In Nathaniel Hawthorne's novel, the letter A is worn by {}.",
            "Hester Prynne",
            ("Daisy Miller", "Emma Bovary", "Moll Flanders", "Isabel Archer", "Becky Sharp"),
        ),
    ),
    AuthorFact(
        "Nathaniel Hawthorne",
        Fact(
            "In which Massachusetts town was Nathaniel Hawthorne born?",
            "What town in Massachusetts is the birthplace of Nathaniel Hawthorne?",
            "Nathaniel Hawthorne was born in {}, Massachusetts.",
            "The Massachusetts birthplace of Nathaniel Hawthorne is {}.",
            "Salem",
            ("Concord", "Boston", "Plymouth", "Springfield", "Amherst"),
        ),
    ),
    AuthorFact(
        "Walt Whitman",
        Fact(
            "What is the title of Walt Whitman's famous book of poems?",
            "Which collection did Walt Whitman first publish in 1855?",
            "Walt Whitman's famous book of poems is titled {}.",
            "In 1855, Walt Whitman first published his collection {}.",
            "Leaves of Grass",
            ("Lyrical Ballads", "The Waste Land", "North of Boston", "Poems and Ballads", "A Boy's Will"),
        ),
    ),
    AuthorFact(
        "Emily Dickinson",
        Fact(
            "In which town did Emily Dickinson live most of her life?",
            "What Massachusetts town was the home of Emily Dickinson?",
            "Emily Dickinson lived most of her life in the town of {}.",
            "The Massachusetts town of {} was the home of Emily Dickinson.",
            "Amherst",
            ("Salem", "Concord", "Lowell", "Plymouth", "Gloucester"),
        ),
    ),
    AuthorFact(
        "Oscar Wilde",
        Fact(
            "Who stays young while his portrait ages in Oscar Wilde's novel?",
            "Which character is the subject of the portrait in Oscar Wilde's only novel?",
            "In Oscar Wilde's novel, {} stays young while his portrait ages.",
            "The portrait in Oscar Wilde's only novel shows {}.",
            "Dorian Gray",
            ("Jack Worthing", "Edward Hyde", "Jonathan Harker", "Basil Hallward", "Henry Wotton"),
        ),
    ),
    AuthorFact(
        "Oscar Wilde",
        Fact(
            "In which city was Oscar Wilde born?",
            "What is the birthplace of Oscar Wilde?",
            "Oscar Wilde was born in the city of {}.",
            "The birthplace of the playwright Oscar Wilde is {}.",
            "Dublin",
            ("London", "Belfast", "Paris", "Cork", "Edinburgh"),
        ),
    ),
    AuthorFact(
        "Arthur Conan Doyle",
        Fact(
            "Which detective did Arthur Conan Doyle create?",
            "Who is the detective of Baker Street in Arthur Conan Doyle's stories?",
            "The detective created by Arthur Conan Doyle is {}.",
            "In Arthur Conan Doyle's stories, the detective of Baker Street is {}.",
            "Sherlock Holmes",
            ("Auguste Dupin", "Father Brown", "Hercule Poirot", "Sexton Blake", "Peter Wimsey"),
        ),
    ),
    AuthorFact(
        "Arthur Conan Doyle",
        Fact(
            "In which city was Arthur Conan Doyle born?",
            "What is the birthplace of Arthur Conan Doyle?",
            "Arthur Conan Doyle was born in the city of {}.",
            "The birthplace of Arthur Conan Doyle is {}.",
            "Edinburgh",
            ("London", "Glasgow", "Dublin", "Aberdeen", "Cardiff"),
        ),
    ),
    AuthorFact(
        "Robert Louis Stevenson",
        Fact(
            "Who is the one-legged pirate in Robert Louis Stevenson's Treasure Island?",
            "Which pirate cooks aboard the Hispaniola in Robert Louis Stevenson's Treasure Island?",
            "The one-legged pirate in Robert Louis Stevenson's Treasure Island is {}.",
            "In Robert Louis Stevenson's Treasure Island, {} cooks aboard the Hispaniola.",
            "Long John Silver",
            ("Captain Hook", "Jim Hawkins", "Alan Breck", "Captain Kidd", "Squire Trelawney"),
        ),
    ),
    AuthorFact(
        "Robert Louis Stevenson",
        Fact(
            "On which islands did Robert Louis Stevenson die?",
            "Where in the Pacific did Robert Louis Stevenson spend his last years?",
            "Robert Louis Stevenson died on the islands of {}.",
            "Robert Louis Stevenson spent his last years in the Pacific, in {}.",
            "Samoa",
            ("Tuvalu", "Tonga", "Fiji", "Palau", "Vanuatu"),
        ),
    ),
    AuthorFact(
        "Lewis Carroll",
        Fact(
            "What was the real name of Lewis Carroll?",
            "Which mathematician wrote under the pen name Lewis Carroll?",
            "The real name of Lewis Carroll was {}.",
            "Lewis Carroll was the pen name of the mathematician {}.",
            "Charles Dodgson",
            ("Samuel Clemens", "George Boole", "Charles Babbage", "Edward Lear", "Charles Kingsley"),
        ),
    ),
    AuthorFact(
        "Lewis Carroll",
        Fact(
            "Which girl falls down a rabbit hole in Lewis Carroll's book?",
            "Who is the girl that visits Wonderland in Lewis Carroll's tale?",
            "In Lewis Carroll's book, a girl named {} falls down a rabbit hole.",
            "The girl that visits Wonderland in Lewis Carroll's tale is {}.",
            "Alice",
            ("Wendy", "Dorothy", "Heidi", "Matilda", "Lucy"),
        ),
    ),
    AuthorFact(
        "Charlotte Brontë",
        Fact(
            "Which pen name did Charlotte Brontë use?",
            "Under what name did Charlotte Brontë publish her novels?",
            "Charlotte Brontë used the pen name {}.",
            "Charlotte Brontë published her novels under the name {}.",
            "Currer Bell",
            ("Ellis Bell", "Acton Bell", "George Eliot", "George Sand", "Isak Dinesen"),
        ),
    ),
    AuthorFact(
        "Charlotte Brontë",
        Fact(
            "Who is the governess that marries Mr. Rochester in Charlotte Brontë's novel?",
            "Which heroine of Charlotte Brontë works at Thornfield Hall?",
            "In Charlotte Brontë's novel, Mr. Rochester marries the governess {}.",
            "The heroine of Charlotte Brontë who works at Thornfield Hall is {}.",
            "Jane Eyre",
            ("Agnes Grey", "Lucy Snowe", "Becky Sharp", "Catherine Earnshaw", "Dorothea Brooke"),
        ),
    ),
    AuthorFact(
        "Emily Brontë",
        Fact(
            "What is the title of Emily Brontë's only novel?",
            "In which novel did Emily Brontë tell the story of Heathcliff?",
            "The only novel of Emily Brontë is titled {}.",
            "Emily Brontë told the story of Heathcliff in {}.",
            "Wuthering Heights",
            ("Jane Eyre", "Agnes Grey", "Northanger Abbey", "Cranford", "Villette"),
        ),
    ),
    AuthorFact(
        "George Eliot",
        Fact(
            "What was the real name of the novelist George Eliot?",
            "Which woman wrote under the pen name George Eliot?",
            "The real name of the novelist George Eliot was {}.",
            "George Eliot was the pen name of {}.",
            "Mary Ann Evans",
            (
                "Charlotte Brontë",
                "Elizabeth Gaskell",
                "Aurore Dupin",
                "Frances Trollope",
                "Christina Rossetti",
            ),
        ),
    ),
    AuthorFact(
        "Thomas Hardy",
        Fact(
            "In which half-imaginary region are Thomas Hardy's novels set?",
            "What did Thomas Hardy call the region where his novels take place?",
            "Thomas Hardy's novels are set in a half-imaginary region called {}.",
            "Thomas Hardy called the region where his novels take place {}.",
            "Wessex",
            ("Mercia", "Barsetshire", "Ruritania", "Utopia", "Lilliput"),
        ),
    ),
    AuthorFact(
        "H. G. Wells",
        Fact(
            "From which planet do the invaders come in H. G. Wells's The War of the Worlds?",
            "What is the home planet of the attackers in H. G. Wells's The War of the Worlds?",
            "The invaders in H. G. Wells's The War of the Worlds come from {}.",
            "In H. G. Wells's The War of the Worlds, the attackers' home planet is {}.",
            "Mars",
            ("Venus", "Saturn", "Jupiter", "Neptune", "Mercury"),
        ),
    ),
    AuthorFact(
        "H. G. Wells",
        Fact(
            "In which year was H. G. Wells's The Time Machine published as a book?",
            "When did H. G. Wells's novel The Time Machine come out?",
            "H. G. Wells's The Time Machine was published as a book in {}.",
            "H. G. Wells's novel The Time Machine came out in {}.",
            "1895",
            ("1869", "1878", "1908", "1919", "1932"),
        ),
    ),
    AuthorFact(
        "Rudyard Kipling",
        Fact(
            "In which city was Rudyard Kipling born?",
            "What is the birthplace of Rudyard Kipling?",
            "Rudyard Kipling was born in the city of {}.",
            "The birthplace of the writer Rudyard Kipling is {}.",
            "Bombay",
            ("Calcutta", "London", "Delhi", "Lahore", "Madras"),
        ),
    ),
    AuthorFact(
        "Rudyard Kipling",
        Fact(
            "Which boy is raised by wolves in Rudyard Kipling's The Jungle Book?",
            "Who learns from Baloo and Bagheera in Rudyard Kipling's The Jungle Book?",
            "The boy raised by wolves in Rudyard Kipling's The Jungle Book is {}.",
            "In Rudyard Kipling's The Jungle Book, {} learns from Baloo and Bagheera.",
            "Mowgli",
            ("Tarzan", "Peter Pan", "Pinocchio", "Oliver Twist", "Jim Hawkins"),
        ),
    ),
    AuthorFact(
        "J. M. Barrie",
        Fact(
            "Which boy who never grows up did J. M. Barrie create?",
            "Who is the leader of the Lost Boys in J. M. Barrie's play?",
            "The boy who never grows up, created by J. M. Barrie, is {}.",
            "In J. M. Barrie's play, the leader of the Lost Boys is {}.",
            "Peter Pan",
            ("Tom Sawyer", "Oliver Twist", "Christopher Robin", "Jim Hawkins", "Little Lord Fauntleroy"),
        ),
    ),
    AuthorFact(
        "Beatrix Potter",
        Fact(
            "Which animal is the hero of Beatrix Potter's first famous tale, Peter?",
            "What kind of animal is Peter in Beatrix Potter's first famous tale?",
            "The hero of Beatrix Potter's first famous tale, Peter, is a {}.",
            "In Beatrix Potter's first famous tale, Peter is a small {}.",
            "rabbit",
            ("hedgehog", "mouse", "kitten", "duckling", "squirrel"),
        ),
    ),
    AuthorFact(
        "Jules Verne",
        Fact(
            "In which French city was Jules Verne born?",
            "What is the birthplace of Jules Verne?",
            "Jules Verne was born in the French city of {}.",
            "The birthplace of Jules Verne is {}.",
            "Nantes",
            ("Paris", "Lyon", "Marseille", "Bordeaux", "Lille"),
        ),
    ),
    AuthorFact(
        "Jules Verne",
        Fact(
            "Who commands the submarine Nautilus in Jules Verne's novel?",
            "Which captain rules the Nautilus in the novel by Jules Verne?",
            "In Jules Verne's novel, the submarine Nautilus is commanded by {}.",
            "The captain of the Nautilus in the novel by Jules Verne is {}.",
            "Captain Nemo",
            ("Captain Ahab", "Captain Hatteras", "Captain Hook", "Phileas Fogg", "Professor Lidenbrock"),
        ),
    ),
    AuthorFact(
        "Victor Hugo",
        Fact(
            "Who is the bell ringer in Victor Hugo's novel about Notre-Dame?",
            "Which character is the hunchback in Victor Hugo's novel?",
            "The bell ringer in Victor Hugo's novel about Notre-Dame is {}.",
            "In Victor Hugo's novel, the hunchback is named {}.",
            "Quasimodo",
            ("Claude Frollo", "Jean Valjean", "Javert", "Gavroche", "Cyrano"),
        ),
    ),
    AuthorFact(
        "Victor Hugo",
        Fact(
            "In which year was Victor Hugo's Les Misérables published?",
            "When did Victor Hugo's novel Les Misérables come out?",
            "Victor Hugo's Les Misérables was published in {}.",
            "Victor Hugo's novel Les Misérables came out in the year {}.",
            "1862",
            ("1799", "1815", "1831", "1880", "1895"),
        ),
    ),
    AuthorFact(
        "Alexandre Dumas",
        Fact(
            "Which hero of Alexandre Dumas becomes the Count of Monte Cristo?",
            "Who escapes from the Château d'If in Alexandre Dumas's novel?",
            "The hero of Alexandre Dumas who becomes the Count of Monte Cristo is {}.",
            "In Alexandre Dumas's novel, {} escapes from the Château d'If.",
            "Edmond Dantès",
            ("Jean Valjean", "Julien Sorel", "Fernand Mondego", "Sydney Carton", "Abbé Faria"),
        ),
    ),
    AuthorFact(
        "Gustave Flaubert",
        Fact(
            "In which city was Gustave Flaubert born?",
            "What is the birthplace of Gustave Flaubert?",
            "Gustave Flaubert was born in the city of {}.",
            "The birthplace of the novelist Gustave Flaubert is {}.",
            "Rouen",
            ("Paris", "Lyon", "Nantes", "Toulouse", "Dijon"),
        ),
    ),
    AuthorFact(
        "Voltaire",
        Fact(
            "What is the title of Voltaire's tale about the pupil of Dr. Pangloss?",
            "Which satire did Voltaire publish in 1759?",
            "Voltaire's tale about the pupil of Dr. Pangloss is {}.",
            "The satire that Voltaire published in 1759 is titled {}.",
            "Candide",
            ("Emile", "Gargantua", "Tartuffe", "Rasselas", "Jacques the Fatalist"),
        ),
    ),
    AuthorFact(
        "Miguel de Cervantes",
        Fact(
            "Who is the squire of Don Quixote in the novel by Miguel de Cervantes?",
            "Which character rides beside Don Quixote in Miguel de Cervantes's novel?",
            "The squire of Don Quixote in the novel by Miguel de Cervantes is {}.",
            "In Miguel de Cervantes's novel, {} rides beside Don Quixote.",
            "Sancho Panza",
            ("Don Juan", "Samson Carrasco", "Gil Blas", "Figaro", "Leporello"),
        ),
    ),
    AuthorFact(
        "Miguel de Cervantes",
        Fact(
            "In which language did Miguel de Cervantes write Don Quixote?",
            "What is the original language of Miguel de Cervantes's Don Quixote?",
            "Miguel de Cervantes wrote Don Quixote in {}.",
            "The original language of Miguel de Cervantes's Don Quixote is {}.",
            "Spanish",
            ("Portuguese", "Latin", "French", "Italian", "Catalan"),
        ),
    ),
    AuthorFact(
        "Dante Alighieri",
        Fact(
            "In which city was Dante Alighieri born?",
            "From what Italian city was Dante Alighieri exiled?",
            "Dante Alighieri was born in the city of {}.",
            "The Italian city that exiled Dante Alighieri was {}.",
            "Florence",
            ("Rome", "Venice", "Milan", "Naples", "Ravenna"),
        ),
    ),
    AuthorFact(
        "Johann Wolfgang von Goethe",
        Fact(
            "Which scholar makes a pact with the devil in Goethe's drama?",
            "Who bargains with Mephistopheles in the play by Goethe?",
            "In Goethe's drama, a scholar named {} makes a pact with the devil.",
            "The man who bargains with Mephistopheles in the play by Goethe is {}.",
            "Faust",
            ("Werther", "Egmont", "Tasso", "Wilhelm Tell", "Wallenstein"),
        ),
    ),
    AuthorFact(
        "Franz Kafka",
        Fact(
            "In which city was Franz Kafka born?",
            "What is the birthplace of Franz Kafka?",
            "Franz Kafka was born in the city of {}.",
            "The birthplace of the writer Franz Kafka is {}.",
            "Prague",
            ("Vienna", "Berlin", "Budapest", "Munich", "Warsaw"),
        ),
    ),
    AuthorFact(
        "Franz Kafka",
        Fact(
            "Who wakes up as a giant insect in Franz Kafka's The Metamorphosis?",
            "Which salesman is transformed in Franz Kafka's The Metamorphosis?",
            "In Franz Kafka's The Metamorphosis, {} wakes up as a giant insect.",
            "The salesman transformed in Franz Kafka's The Metamorphosis is {}.",
            "Gregor Samsa",
            ("Josef Knecht", "Karl Rossmann", "Georg Bendemann", "Hans Castorp", "Peter Schlemihl"),
        ),
    ),
    AuthorFact(
        "Leo Tolstoy",
        Fact(
            "Which heroine of Leo Tolstoy leaves her husband for Count Vronsky?",
            "Who is the woman that loves Vronsky in the novel by Leo Tolstoy?",
            "The heroine of Leo Tolstoy who leaves her husband for Count Vronsky is {}.",
            "In the novel by Leo Tolstoy, Vronsky is loved by {}.",
            "Anna Karenina",
            ("Natasha Rostova", "Tatyana Larina", "Emma Bovary", "Sonya Marmeladova", "Effi Briest"),
        ),
    ),
    AuthorFact(
        "Fyodor Dostoevsky",
        Fact(
            "Which student commits the murder in Fyodor Dostoevsky's Crime and Punishment?",
            "Who is the main character of Fyodor Dostoevsky's Crime and Punishment?",
            "In Fyodor Dostoevsky's Crime and Punishment, the murder is committed by {}.",
            "The main character of Fyodor Dostoevsky's Crime and Punishment is {}.",
            "Raskolnikov",
            ("Prince Myshkin", "Ivan Karamazov", "Stavrogin", "Porfiry", "Oblomov"),
        ),
    ),
    AuthorFact(
        "Anton Chekhov",
        Fact(
            "What was Anton Chekhov's profession besides writing?",
            "As what did Anton Chekhov work when he was not writing?",
            "Besides writing, Anton Chekhov worked as a {}.",
            "When he was not writing, Anton Chekhov worked as a {}.",
            "physician",
            ("lawyer", "soldier", "banker", "priest", "blacksmith"),
        ),
    ),
    AuthorFact(
        "Alexander Pushkin",
        Fact(
            "What is the title of Alexander Pushkin's novel in verse?",
            "Which verse novel did Alexander Pushkin write about a bored young nobleman?",
            "Alexander Pushkin's novel in verse is titled {}.",
            "Alexander Pushkin wrote of a bored young nobleman in {}.",
            "Eugene Onegin",
            ("Dead Souls", "Oblomov", "Taras Bulba", "Fathers and Sons", "The Cherry Orchard"),
        ),
    ),
    AuthorFact(
        "Hans Christian Andersen",
        Fact(
            "In which Danish town was Hans Christian Andersen born?",
            "What is the birthplace of Hans Christian Andersen?",
            "Hans Christian Andersen was born in the Danish town of {}.",
            "The birthplace of Hans Christian Andersen is {}.",
            "Odense",
            ("Copenhagen", "Aarhus", "Aalborg", "Roskilde", "Esbjerg"),
        ),
    ),
    AuthorFact(
        "Henrik Ibsen",
        Fact(
            "Which country did the playwright Henrik Ibsen come from?",
            "What was the homeland of Henrik Ibsen?",
            "The playwright Henrik Ibsen came from {}.",
            "The homeland of the dramatist Henrik Ibsen was {}.",
            "Norway",
            ("Sweden", "Denmark", "Finland", "Iceland", "Germany"),
        ),
    ),
    AuthorFact(
        "John Milton",
        Fact(
            "Which epic poem by John Milton tells of Adam and Eve?",
            "What is the title of John Milton's epic of 1667?",
            "John Milton's epic poem about Adam and Eve is {}.",
            "In 1667, John Milton published his epic {}.",
            "Paradise Lost",
            (
                "The Faerie Queene",
                "The Divine Comedy",
                "Jerusalem Delivered",
                "Orlando Furioso",
                "The Prelude",
            ),
        ),
    ),
    AuthorFact(
        "Daniel Defoe",
        Fact(
            "Which castaway did Daniel Defoe write about?",
            "Who spends many years on an island in Daniel Defoe's novel of 1719?",
            "The castaway Daniel Defoe wrote about is {}.",
            "In Daniel Defoe's novel of 1719, {} spends many years on an island.",
            "Robinson Crusoe",
            ("Lemuel Gulliver", "Ben Gunn", "Tom Jones", "Roderick Random", "Edward Prendick"),
        ),
    ),
    AuthorFact(
        "Jonathan Swift",
        Fact(
            "On which island does Jonathan Swift's Gulliver meet tiny people?",
            "What is the land of the tiny people called in Jonathan Swift's Gulliver's Travels?",
            "Jonathan Swift's Gulliver meets tiny people on the island of {}.",
            "In Jonathan Swift's Gulliver's Travels, the land of the tiny people is {}.",
            "Lilliput",
            ("Brobdingnag", "Laputa", "Utopia", "Atlantis", "Neverland"),
        ),
    ),
    AuthorFact(
        "John Keats",
        Fact(
            "In which city did the poet John Keats die?",
            "Where was the poet John Keats buried in 1821?",
            "The poet John Keats died in the city of {}.",
            "In 1821, the poet John Keats was buried in {}.",
            "Rome",
            ("London", "Paris", "Venice", "Athens", "Geneva"),
        ),
    ),
    AuthorFact(
        "F. Scott Fitzgerald",
        Fact(
            "What was the name of F. Scott Fitzgerald's wife?",
            "Whom did F. Scott Fitzgerald marry in 1920?",
            "The wife of F. Scott Fitzgerald was named {}.",
            "In 1920, F. Scott Fitzgerald married {}.",
            "Zelda Sayre",
            ("Daisy Fay", "Hadley Richardson", "Dorothy Parker", "Edna Millay", "Ginevra King"),
        ),
    ),
    AuthorFact(
        "James Joyce",
        Fact(
            "In which city is James Joyce's Ulysses set?",
            "Through what city does Leopold Bloom walk in James Joyce's Ulysses?",
            "James Joyce's Ulysses is set in the city of {}.",
            "In James Joyce's Ulysses, Leopold Bloom walks through {}.",
            "Dublin",
            ("Trieste", "Paris", "Zurich", "Belfast", "London"),
        ),
    ),
    AuthorFact(
        "L. Frank Baum",
        Fact(
            "Which girl is carried to Oz by a cyclone in L. Frank Baum's book?",
            "Who owns the dog Toto in L. Frank Baum's book about Oz?",
            "In L. Frank Baum's book, a girl named {} is carried to Oz by a cyclone.",
            "The owner of the dog Toto in L. Frank Baum's book is {}.",
            "Dorothy",
            ("Alice", "Wendy", "Heidi", "Pollyanna", "Rebecca"),
        ),
    ),
)
