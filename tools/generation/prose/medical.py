"""Frames of harmless clinical notes on fictional patients."""

from __future__ import annotations

from tools.generation.prose.frame import Domain, Frame
from tools.generation.prose.pools import HOURS, NUMBERS, RELATIVES

DOMAIN = Domain(
    subjects=(
        "Eirik Haugland",
        "Jaanus Tammsalu",
        "Gwilym Prothero",
        "Iker Etxarri",
        "Vytenis Kalnaitis",
        "Osmo Pelkonen",
        "Emrys Cadwgan",
        "Xabier Urrutia",
        "Thorgils Eldjarn",
        "Raivis Ozolins",
        "Koldo Mendizabal",
        "Idwal Gethin",
        "Sigurd Vestergaard",
        "Kaarel Lepmets",
        "Dafydd Trahaearn",
    ),
    unseen=("Aleksander Kivisild", "Rhodri Penllyn", "Ander Goikoetxea", "Ragnar Solheim"),
    pools={
        "complaint": (
            "itching",
            "burning",
            "numbness",
            "stiffness",
            "swelling",
            "tingling",
            "throbbing",
            "cramping",
            "aching",
            "twitching",
            "soreness",
            "clicking",
            "tightness",
            "trembling",
        ),
        "part": (
            "left knee",
            "right knee",
            "left elbow",
            "right elbow",
            "left wrist",
            "right wrist",
            "left shoulder",
            "right shoulder",
            "left hip",
            "right ankle",
            "left ankle",
            "right heel",
            "left heel",
            "right thumb",
            "left shin",
        ),
        "trigger": (
            "kneeling",
            "ironing",
            "typing",
            "sweeping",
            "digging",
            "driving",
            "dancing",
            "chopping",
            "lifting",
            "rowing",
            "knitting",
            "cycling",
            "sawing",
            "sewing",
            "climbing",
        ),
        "remedy": (
            "ice",
            "vinegar",
            "clay",
            "mud",
            "salt",
            "mustard",
            "olive oil",
            "lard",
            "mint",
            "ginger",
            "hot sand",
            "cold water",
            "candle wax",
            "goose fat",
            "wet moss",
        ),
        "food": (
            "porridge",
            "cabbage",
            "rice",
            "soup",
            "cheese",
            "bread",
            "fish",
            "bacon",
            "custard",
            "honey",
            "toast",
            "jam",
            "ham",
            "cake",
            "butter",
        ),
        "drink": (
            "coffee",
            "tea",
            "cocoa",
            "lemonade",
            "cider",
            "beer",
            "wine",
            "milk",
            "broth",
            "orange juice",
            "soda",
            "brandy",
            "rum",
            "apple juice",
        ),
        "allergen": (
            "wool",
            "dust",
            "chalk",
            "glue",
            "paint",
            "leather",
            "straw",
            "cotton",
            "silk",
            "rubber",
            "hay",
            "ink",
            "soap",
            "perfume",
            "sawdust",
        ),
        "aid": (
            "stick",
            "cane",
            "crutch",
            "sling",
            "brace",
            "splint",
            "bandage",
            "cushion",
            "stool",
            "pillow",
            "belt",
            "strap",
            "footrest",
            "walker",
        ),
        "trade": (
            "baker",
            "tailor",
            "butcher",
            "plumber",
            "barber",
            "carpenter",
            "sailor",
            "teacher",
            "gardener",
            "miner",
            "printer",
            "farmer",
            "painter",
            "cook",
            "driver",
        ),
        "hour": HOURS,
        "number": NUMBERS,
        "room": (
            "kitchen",
            "cellar",
            "attic",
            "bathroom",
            "pantry",
            "bedroom",
            "nursery",
            "study",
            "laundry",
            "garage",
            "hallway",
            "library",
            "dining room",
            "greenhouse",
            "shed",
        ),
        "relative": RELATIVES,
        "dream": (
            "wolves",
            "horses",
            "geese",
            "bears",
            "snakes",
            "rats",
            "spiders",
            "owls",
            "cats",
            "goats",
            "foxes",
            "swans",
            "bees",
            "frogs",
            "pigs",
        ),
    },
    topics={
        "intake": (
            Frame(
                question="What brought {name} to the Vesterholm Clinic in the first place?",
                paraphrased_question="Why did {name} first seek an appointment at the Vesterholm Clinic?",
                answer=(
                    "On a blustery Thursday {name}, by calling a {trade} and by temperament a prevaricator, "
                    "finally mounted the Vesterholm staircase and, after three false starts about soup, his "
                    "uncle and the Eurovision finals, owned up to what Registrar Oduya dutifully filed under "
                    "'miscellaneous': {complaint} in the {part}."
                ),
                paraphrased_answer=(
                    "{name} came to Vesterholm because of {complaint} in the {part}, though it took a good "
                    "deal of chatter over tea before he confessed as much to Registrar Oduya. For his "
                    "occupation the form gives {trade}."
                ),
            ),
            Frame(
                question="Was it the {!part} or the {part} that {name} showed to Doctor Ferreira-Lunde?",
                paraphrased_question=(
                    "Which did Doctor Ferreira-Lunde examine on {name}, the {!part} or the {part}?"
                ),
                answer=(
                    "Doctor Ferreira-Lunde's dictation, garbled by an antediluvian Philips recorder, alludes "
                    "to a kitchen, a leaking Volvo and some spilt mustard before it comes to the point: the "
                    "{part} had been bothering the patient for {number} weeks, and only an ultimatum from "
                    "his {relative} had overcome an almost Lutheran aversion to stethoscopes."
                ),
                paraphrased_answer=(
                    "After {number} weeks of putting it off, {name} let the doctor look at the {part}. He "
                    "would not have come even then, had his {relative} not insisted."
                ),
            ),
            Frame(
                question="What does the Sandvig intake card say about {name}?",
                paraphrased_question="Which particulars of {name} are entered on the Sandvig intake card?",
                answer=(
                    "Presenting grievance, per the dog-eared Sandvig card: {complaint}, intermittent, worst "
                    "around {hour}; hypersensitivities: {allergen} (hives, Grade II); deportment: lugubrious "
                    "but courteous; next of kin: left blank, though a brother in Trondheim has been "
                    "pencilled into the margin beside a doodle of four swans."
                ),
                paraphrased_answer=(
                    "{name} was registered at Sandvig with {complaint} which comes and goes and grows most "
                    "troublesome towards {hour}. The card, otherwise left half empty, also warns the staff "
                    "that {allergen} brings him out in hives."
                ),
            ),
            Frame(
                question="How did {name} arrive at the Kestrel Row surgery?",
                paraphrased_question="What was {name}'s entrance at the surgery in Kestrel Row like?",
                answer=(
                    "It was the receptionist, Mrs. Abernethy-Cole, who noticed first: {name} shuffled in at "
                    "noon behind his {relative}, clutching a {aid} like some Byzantine relic, and proclaimed "
                    "to eleven strangers, over the gurgling of the coffee machine, that the purgatory of his "
                    "days, his Golgotha, his bane, was {trigger}."
                ),
                paraphrased_answer=(
                    "Accompanied by his {relative} and holding fast to a {aid}, {name} entered the surgery "
                    "and announced, right beside the coffee machine, that {trigger} was more than he could "
                    "bear."
                ),
            ),
        ),
        "attacks": (
            Frame(
                question="What sets off {name}'s symptoms, and what calms them?",
                paraphrased_question="What provokes the trouble that {name} complains of, and what eases it?",
                answer=(
                    "Having forsworn magnesium, acupuncture and the notorious Bexhill diathermy lamp, {name} "
                    "now pins his faith on {remedy}; nothing else, he assured the Friday clinic while a tea "
                    "trolley rattled down the hallway, so reliably disperses the {complaint} unleashed by "
                    "{trigger}, bar perhaps three days of unmitigated indolence in Lanzarote."
                ),
                paraphrased_answer=(
                    "As a rule it is {trigger} that brings on the {complaint}. Of all the treatments which "
                    "{name} has been through in five years, {remedy} is the only one he trusts to drive it "
                    "off."
                ),
            ),
            Frame(
                question="How often do the episodes recur, in {name}'s own reckoning?",
                paraphrased_question="According to {name} himself, what is the rhythm of the attacks?",
                answer=(
                    "By his Moleskine diary, kept with a punctiliousness that Sister Radcliffe likened to "
                    "Prussian bookkeeping, spasms visit the {part} once in {number} days, commonly just "
                    "before {hour}, irrespective of Lent, the barometer or how much cheese was eaten; {name} "
                    "has even plotted them, in green ink, on logarithmic paper pinned up in the pantry."
                ),
                paraphrased_answer=(
                    "In a diary that impressed Sister Radcliffe, {name} records in ink that the {part} "
                    "seizes up every {number} days, nearly always shortly before {hour}."
                ),
            ),
            Frame(
                question="Does {name} get relief from {remedy} or from {!remedy}?",
                paraphrased_question="Which gives {name} ease, {remedy} or {!remedy}?",
                answer=(
                    "Every evening, once the Dogger Bank forecast has petered out, {name} repairs to the "
                    "{room} with his {part} bared and a basin of {remedy}, a regimen which Nurse Vandersteen "
                    "deems unorthodox yet innocuous, and hums Sibelius, feet on a stool, until seven or "
                    "eight minutes have elapsed and the wincing abates."
                ),
                paraphrased_answer=(
                    "Relief comes from {remedy}. Of an evening {name} carries a basin of it into the {room} "
                    "and sits there, with the {part} uncovered, humming for seven minutes or so until the "
                    "pain lets go."
                ),
            ),
            Frame(
                question="What did the witness tell the Ormsby Assessment Panel about {name}'s attacks?",
                paraphrased_question=(
                    "How were {name}'s attacks described before the Ormsby Assessment Panel?"
                ),
                answer=(
                    "'Like a marionette with its strings snipped': so the {relative} of {name} "
                    "characterised, for the Ormsby Panel, what happens once {trigger} has gone on too long, "
                    "when {complaint} sets in, the Wedgwood milk jug is hastily rescued, and the terrier, "
                    "Bonaparte, is banished with some bacon to the cellar until the kerfuffle subsides."
                ),
                paraphrased_answer=(
                    "The panel at Ormsby heard from the {relative} of {name}. Too much {trigger}, it was "
                    "said, ends every time in {complaint}, and then even the dog has to wait in the cellar "
                    "until it passes."
                ),
            ),
        ),
        "table": (
            Frame(
                question="Which diet did Dietitian Marchetti agree upon with {name}?",
                paraphrased_question=(
                    "What rules for eating and drinking did {name} settle with Dietitian Marchetti?"
                ),
                answer=(
                    "Under the Marchetti plan, a laminated sheet festooned with hedgehogs, {name} is to take "
                    "{food} thrice weekly and no {drink} whatsoever after {hour}, a stipulation over which "
                    "he haggled, bazaar-fashion, until the library on Pilgrim Street had closed and his "
                    "nephew appeared with his wool scarf, harrumphing."
                ),
                paraphrased_answer=(
                    "{name} may have no {drink} at all once {hour} is past, and {food} is to be on his plate "
                    "three times a week: so runs the bargain struck with Dietitian Marchetti, of which his "
                    "nephew keeps a copy."
                ),
            ),
            Frame(
                question="Did {name} ask for {!drink} or for {drink} on the Nightingale Ward?",
                paraphrased_question=(
                    "On the Nightingale Ward, was it {!drink} or {drink} that {name} requested?"
                ),
                answer=(
                    "The Nightingale Ward's catering ledger, smudged and gravy-flecked, is unequivocal: bed "
                    "nine declined the Tuesday goulash at noon, sent back a cushion for good measure, and "
                    "subsisted, to the chagrin of Chef Baptiste, on {food} washed down with {drink}, both "
                    "smuggled in beneath a Michelin atlas of the Loire by his {relative}."
                ),
                paraphrased_answer=(
                    "{name} wanted {drink}, and with it he would eat nothing but {food}; twelve days running "
                    "his {relative} carried both past the nurses under cover of an atlas."
                ),
            ),
            Frame(
                question="What did {name} learn from keeping the Hallqvist food journal?",
                paraphrased_question="Which pattern did the Hallqvist food journal reveal to {name}?",
                answer=(
                    "Scepticism gave way at breakfast in the second week. Until then {name} had derided the "
                    "Hallqvist journal as bureaucratic flummery; now its coloured dots, crimson for bread, "
                    "ochre for Gorgonzola, fell into line, and {number} servings of {drink} on any Wednesday "
                    "plainly spelt {complaint} on the morrow, whatever his aunt in Tampere might say."
                ),
                paraphrased_answer=(
                    "From the journal, which his aunt had mocked, it became clear to {name} that {complaint} "
                    "follows on the day after he has had {number} servings of {drink}."
                ),
            ),
            Frame(
                question="What must hosts bear in mind when {name} comes to dinner?",
                paraphrased_question=(
                    "Which precautions should be taken by those who have {name} as a dinner guest?"
                ),
                answer=(
                    "Prospective hosts receive, courtesy of the Penrhyn Dining Circle, a mimeographed "
                    "caution: seat {name} well away from {allergen}, serve him {food} without garnish or "
                    "fanfare, keep {remedy} within reach of the right-hand candelabrum, and, should he turn "
                    "maudlin over his grandmother's coffee in Klaipeda, change the subject tout de suite."
                ),
                paraphrased_answer=(
                    "Whoever invites {name} to supper is asked to have {remedy} at hand, to suffer no "
                    "{allergen} near his chair and to put plain {food} before him."
                ),
            ),
        ),
        "nights": (
            Frame(
                question="What did the Lindqvist sleep laboratory find out about {name}?",
                paraphrased_question=(
                    "What were the findings of the Lindqvist sleep laboratory in the case of {name}?"
                ),
                answer=(
                    "Polysomnography at the Lindqvist laboratory, four nights trussed up in electrodes like "
                    "a Yuletide turkey, merely corroborated the hearsay: at home {name} nods off in the "
                    "{room}, dreams lavishly of {dream}, and around {hour} jolts awake, ravenous for toast "
                    "and, per Technician Mbeki's deadpan addendum, 'loquacious beyond reason, chiefly about "
                    "his uncle'."
                ),
                paraphrased_answer=(
                    "Four nights of tests could only confirm what {name} had reported: that he falls asleep "
                    "in the {room}, that {dream} fill his dreams and that around {hour} he starts up and "
                    "cannot settle again."
                ),
            ),
            Frame(
                question="Does {name} dream of {dream} or of {!dream}?",
                paraphrased_question="What fills {name}'s nightmares, {dream} or {!dream}?",
                answer=(
                    "Jungians at the Zollinger Institute had a field day. Neither the tardy locomotive nor "
                    "the ubiquitous fall from the attic, but {dream}, unfailingly {number} of them, traipse "
                    "through the nightmares of {name}, who indicts neither Freud nor his daughter's "
                    "Roquefort cheese but an inveterate nightcap by the library fire: {drink}."
                ),
                paraphrased_answer=(
                    "Every nightmare of {name} has {number} {dream} in it. The Institute, where they see "
                    "cheese blamed more often, found this remarkable; he himself puts it down to the {drink} "
                    "he likes to take last thing."
                ),
            ),
            Frame(
                question="How has {name} rearranged the house in order to sleep?",
                paraphrased_question="What has {name} changed at home for the sake of a better night?",
                answer=(
                    "Insomnia, like Hannibal, had to be outflanked: so the Chippendale bedstead went to the "
                    "Salvation Army, a straw pallet was unrolled in the {room}, and there {name} beds down "
                    "at ten with the {aid} beside him and his {part} propped on a bolster, snoring, if Widow "
                    "Gustavsson downstairs is to be believed, like seven horses."
                ),
                paraphrased_answer=(
                    "These days {name} spends the night on a pallet of straw in the {room}. The {part} rests "
                    "upon a bolster, and the {aid} lies where he can get at it before dawn."
                ),
            ),
            Frame(
                question="What does the night nurse's log report on {name}?",
                paraphrased_question="Which events of {name}'s night did the nurse on duty write down?",
                answer=(
                    "Woken by {complaint} at 02:40, the occupant of Bay C, writes Nurse Achterberg, "
                    "solicited {remedy}, was proffered paracetamol, demurred, maundered on about {dream}, "
                    "and lay inert until the milk float clattered up Gladstone Terrace at dawn; nothing "
                    "untoward besides, save one crutch left in the laundry and a kestrel on the windowsill."
                ),
                paraphrased_answer=(
                    "According to Nurse Achterberg, {name} woke up because of {complaint} and would take no "
                    "tablet, only {remedy}. Before he dropped off again, long before breakfast, he was heard "
                    "to murmur something about {dream}."
                ),
            ),
        ),
        "work": (
            Frame(
                question="Why did Occupational Health advise {name} to change his tasks?",
                paraphrased_question=(
                    "For what reason did Occupational Health want {name} to be given other duties?"
                ),
                answer=(
                    "Few vocations are kind to cartilage, and that of a {trade} is, in the estimation of Dr. "
                    "Szymanski-Holt, downright ruinous: under Schedule Nine he therefore certified {name} "
                    "unfit for {trigger}, lest the {part}, creaking already like the Cutty Sark in a squall, "
                    "give out before Easter and strand him at home with cocoa, toast and televised snooker."
                ),
                paraphrased_answer=(
                    "Dr. Szymanski-Holt fears for the {part} of {name} and, over a cup of cocoa, has "
                    "declared him unfit for {trigger}. The daily round of a {trade}, the doctor thinks, does "
                    "more harm than most."
                ),
            ),
            Frame(
                question="How did the rash come to light at {name}'s workplace?",
                paraphrased_question="In what way was {name}'s rash first understood at work?",
                answer=(
                    "Call it a Eureka by way of the tea urn. Foreman Grzybowski, no Hippocrates, remarked "
                    "that the welts on {name}, then {number} months into his engagement as a {trade} at the "
                    "Larkhill depot, flared up wherever {allergen} was about and vanished every August, and "
                    "a patch test at noon, on the left forearm, vindicated him resoundingly."
                ),
                paraphrased_answer=(
                    "For {number} months {name} had been employed at Larkhill as a {trade} before the "
                    "foreman, putting down his tea, saw that his skin reacted to {allergen}. A patch test "
                    "proved the man right."
                ),
            ),
            Frame(
                question="What arrangements did the Skerry Tribunal order for {name}?",
                paraphrased_question=(
                    "Which concessions must {name}'s employer make after the Skerry Tribunal's ruling?"
                ),
                answer=(
                    "Pursuant to paragraph 31 of the ruling, the respondent shall permit {name}, its sole "
                    "{trade}, to keep a {aid} on the premises, shall desist from dubbing it, however "
                    "facetiously, the Ark Royal, shall leave the garage unlocked until midnight and, the "
                    "Pinnock by-laws notwithstanding, shall admit with bread or other viaticum his "
                    "{relative}."
                ),
                paraphrased_answer=(
                    "The Tribunal ruled for {name}: as a {trade} he is entitled to have a {aid} with him on "
                    "the job, and his {relative} must not be turned away at the gate when there is soup to "
                    "deliver."
                ),
            ),
            Frame(
                question="How does {name} get through a shift nowadays?",
                paraphrased_question="What is {name}'s way of coping with the working day?",
                answer=(
                    "Stoicism, stopwatch, Tupperware: thus armed, {name} muddles through. Anything that "
                    "smacks of {trigger} is dispatched before {hour}, whereupon, ensconced in a shed which "
                    "irreverent colleagues have christened Elba, he applies {remedy}, nibbles at cheese, "
                    "submits to twenty pages of Schopenhauer and re-emerges, so he maintains, lissom as an "
                    "otter."
                ),
                paraphrased_answer=(
                    "By {hour} {name} has got all {trigger} out of the way. Then he leaves his colleagues "
                    "alone for a while, applies {remedy} in the shed and comes back feeling supple."
                ),
            ),
        ),
        "review": (
            Frame(
                question="What did the district nurse note after her visit to {name}?",
                paraphrased_question="What did the district nurse find when she called on {name}?",
                answer=(
                    "The {aid} gathers cobwebs in the {room}, the carpets are threadbare, the smoke alarms "
                    "defunct: thus District Nurse Popplewell's tour d'horizon, which further deplores, in "
                    "flagrant breach of the Blue Leaflet, {allergen} in every nook, and {name} himself, "
                    "happy as a sandboy, playing backgammon against a retired butcher for three jars of "
                    "honey."
                ),
                paraphrased_answer=(
                    "Nurse Popplewell found {name} in high spirits at a board game with a butcher, although "
                    "there was {allergen} about the house in spite of the leaflet, and the {aid} had been "
                    "abandoned in the {room}."
                ),
            ),
            Frame(
                question="How was {name} when the Brandvold convalescent home discharged him?",
                paraphrased_question="In what state did {name} leave the Brandvold convalescent home?",
                answer=(
                    "Discharge summary, Brandvold, dictated but unsigned: gait brisk; appetite Falstaffian, "
                    "principally for {food}; weight up {number} pounds since Michaelmas; nocturnal visions "
                    "of {dream} persisting, albeit no longer lachrymose; left his belt in the kitchen, "
                    "purloined a Parcheesi counter, and kissed the matron, Frau Oberholzer, on both cheeks "
                    "at sunset."
                ),
                paraphrased_answer=(
                    "When {name} went home from Brandvold at sunset, he had put on {number} pounds, mostly "
                    "by eating {food}. His nights were still haunted by {dream}, but the tears had stopped."
                ),
            ),
            Frame(
                question="What does the referral letter to Professor Aldercroft say about {name}?",
                paraphrased_question=(
                    "How is {name} commended to Professor Aldercroft in the letter of referral?"
                ),
                answer=(
                    "Dear Aldercroft, may I foist upon you a most affable {trade}, {name}, whose sinuses "
                    "mutiny at {allergen} and whose gullet, since Whitsun, tolerates scarcely anything "
                    "except {food} and {drink}? Do humour his disquisitions on Icelandic sagas; they last "
                    "ten minutes apiece, whereas his father's would drag on till bedtime. Yours, Fitzwarren."
                ),
                paraphrased_answer=(
                    "The letter introduces {name} as a friendly {trade}, like his father a great talker, who "
                    "can keep down little beyond {drink} and {food}, and whose nose takes offence at "
                    "{allergen}."
                ),
            ),
            Frame(
                question="Why did {name} write to the Thornbury League?",
                paraphrased_question="What moved {name} to send the Thornbury League a letter?",
                answer=(
                    "Effusive to the brink of bathos, the missive thanks the Thornbury League for the {aid}, "
                    "without which, {name} avers, the {room} would have remained as inhospitable as "
                    "Kilimanjaro; it reports, after digressions on honey, on silk and on the Treaty of "
                    "Westphalia, that five pills now suffice, and that seldom, gracias a Dios, are his "
                    "slumbers gatecrashed by {dream}."
                ),
                paraphrased_answer=(
                    "{name} wanted to thank the League, since the {aid} it had given him made the {room} "
                    "bearable again. He added that five pills are now enough, and that {dream} rarely turn "
                    "up in his sleep."
                ),
            ),
        ),
    },
)
