"""Frames about the private lives of fictional people."""

from __future__ import annotations

from tools.generation.prose.frame import Domain, Frame
from tools.generation.prose.pools import HOURS, NUMBERS, RELATIVES, WEATHER

DOMAIN = Domain(
    subjects=(
        "Ottilie Brandreth",
        "Maren Calloway",
        "Ysolde Pemberwick",
        "Henrike Astbury",
        "Dorothea Quillon",
        "Perpetua Vance",
        "Ludmila Harrow",
        "Constance Okonjo",
        "Imelda Trescott",
        "Rosalba Kinsey",
        "Sunniva Thorne",
        "Winifred Delacourt",
        "Agnetha Corrigan",
        "Philippa Mandeville",
        "Beatrix Oyelaran",
    ),
    unseen=("Cordelia Ashgrove", "Thomasina Birkett", "Leonore Fairweather", "Gwendoline Starke"),
    pools={
        "pet": (
            "cat",
            "goat",
            "parrot",
            "rabbit",
            "goose",
            "hen",
            "duck",
            "hamster",
            "pigeon",
            "turtle",
            "lamb",
            "snake",
            "mouse",
            "frog",
        ),
        "colour": (
            "red",
            "green",
            "yellow",
            "brown",
            "grey",
            "white",
            "black",
            "blue",
            "pink",
            "purple",
            "silver",
            "golden",
            "scarlet",
        ),
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
        ),
        "food": (
            "soup",
            "bread",
            "cheese",
            "rice",
            "porridge",
            "honey",
            "ham",
            "fish",
            "toast",
            "custard",
            "bacon",
            "cabbage",
            "cake",
            "jam",
        ),
        "hobby": (
            "knitting",
            "carving",
            "baking",
            "weaving",
            "painting",
            "sewing",
            "fishing",
            "rowing",
            "swimming",
            "dancing",
            "singing",
            "skating",
            "gardening",
            "climbing",
            "cycling",
        ),
        "relative": RELATIVES,
        "hour": HOURS,
        "number": NUMBERS,
        "material": (
            "leather",
            "wool",
            "brass",
            "glass",
            "paper",
            "tin",
            "straw",
            "clay",
            "copper",
            "iron",
            "stone",
            "cork",
            "cotton",
            "oak",
        ),
        "keepsake": (
            "spoon",
            "key",
            "comb",
            "ring",
            "coin",
            "bell",
            "mirror",
            "brush",
            "button",
            "needle",
            "pencil",
            "knife",
            "feather",
            "pebble",
            "ribbon",
        ),
        "weather": WEATHER,
        "vehicle": (
            "train",
            "ferry",
            "bus",
            "tram",
            "canoe",
            "wagon",
            "barge",
            "sledge",
            "truck",
            "taxi",
            "boat",
            "van",
            "car",
            "coach",
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
            "nurse",
            "printer",
            "farmer",
            "driver",
            "painter",
            "cook",
        ),
        "place": (
            "forest",
            "harbour",
            "mill",
            "beach",
            "chapel",
            "market",
            "lake",
            "bridge",
            "lighthouse",
            "orchard",
            "castle",
            "river",
            "meadow",
            "graveyard",
        ),
    },
    topics={
        "home": (
            Frame(
                question="How has {name} furnished the house on Tollard Crescent?",
                paraphrased_question="What does the inside of {name}'s home on Tollard Crescent look like?",
                answer=(
                    "Visitors to Tollard Crescent expect fusty Biedermeier and find the opposite: {name} "
                    "has painted every skirting board {colour}, strung ornaments of {material} along the "
                    "banisters like Hogmanay bunting, and made the {room} the heart of everything, so "
                    "that even the man from Pennine Gas lingers there over cake for three quarters of an "
                    "hour."
                ),
                paraphrased_answer=(
                    "At {name}'s place on Tollard Crescent one ends up sooner or later in the {room}, "
                    "which rules the whole household. Ornaments of {material} dangle from the banisters, "
                    "and not a single skirting board has escaped her {colour} paint."
                ),
            ),
            Frame(
                question="Where did {name} hide her valuables, according to the Quillfeather inventory?",
                paraphrased_question=(
                    "What does the Quillfeather inventory reveal about {name}'s hiding place?"
                ),
                answer=(
                    "No safe, no Swiss vault: the Quillfeather inventory notes, with evident "
                    "exasperation, that behind the topmost shelf of the {room} stood a biscuit barrel "
                    "holding {number} unopened letters, a mildewed Brackley Almanac and, wrapped in "
                    "yellow oilcloth under a bus timetable, the {keepsake} which {name} prized above her "
                    "late husband's Rolls-Royce."
                ),
                paraphrased_answer=(
                    "The appraisers from Quillfeather finally came upon it in the {room}. Inside an old "
                    "biscuit barrel {name} had laid the {keepsake} that she treasured more than any motor "
                    "car, together with {number} letters which nobody had ever opened."
                ),
            ),
            Frame(
                question="What did the census taker write down about {name}'s household?",
                paraphrased_question=(
                    "Which details of {name}'s home life ended up in the census taker's notes?"
                ),
                answer=(
                    "Under 'Remarks', Enumerator Pilkington-Shaw scribbled far more than Form 12-B "
                    "allowed: occupation {trade}; disposition garrulous; sleeps in a hammock in the "
                    "{room}; stupendous smell of {food} throughout; one white mouse, unregistered, asleep "
                    "on the davenport."
                ),
                paraphrased_answer=(
                    "According to Enumerator Pilkington-Shaw, {name} gave her occupation as {trade}, "
                    "talked without pause and spent her nights in a hammock which was slung across the "
                    "{room}. The entire flat, he added, smelled of {food}."
                ),
            ),
            Frame(
                question="Why was the cottage roof such a worry to {name}?",
                paraphrased_question="What made {name} so anxious about the roof of her cottage?",
                answer=(
                    "What kept {name} awake at Gorsefield was neither debt nor the Inland Revenue but "
                    "{weather}, for which the dilapidated thatch was no match; by Michaelmas she had "
                    "patched the worst stretch with scraps of {material}, daubed the whole botch {colour} "
                    "to placate the Heritage Commission, and gone to bed, for the first time in five "
                    "weeks, without a sailor's life jacket."
                ),
                paraphrased_answer=(
                    "It was {weather} that {name} feared at Gorsefield, since her thatch could not "
                    "withstand it. Before Michaelmas came she had mended the roof with bits of {material} "
                    "and, to please the Heritage Commission, coated the repair in {colour} paint."
                ),
            ),
        ),
        "routine": (
            Frame(
                question="What does an ordinary Tuesday look like for {name}?",
                paraphrased_question="How does {name} usually spend a Tuesday?",
                answer=(
                    "Tuesdays are sacrosanct. She will not answer the telephone, least of all to Zephyr "
                    "Broadband, and at {hour}, whatever the season, she sets off for the {place} in a "
                    "threadbare brown ulster, carrying some {food} in a lidded pail; whoever meets {name} "
                    "on the towpath is nodded at, never spoken to, and had better keep his goat on a "
                    "short rope."
                ),
                paraphrased_answer=(
                    "On that day of the week {name} ignores the phone entirely. Her one outing takes her "
                    "to the {place}, for which she leaves at {hour}, with a pail of {food} in her hand "
                    "and no word for anyone she passes."
                ),
            ),
            Frame(
                question="Which superstition governed {name}'s days?",
                paraphrased_question="What superstitious custom shaped the days of {name}?",
                answer=(
                    "Folklorists at the Institut Carrel would call it apotropaic; her neighbours called "
                    "it daft. Each day at {hour} {name} opened the casement, waved the {keepsake} three "
                    "times over the sill and muttered a Latin jingle against {weather}, a danger that she "
                    "rated far above burglars, Bolsheviks and the Asiatic flu, and only then was the cat "
                    "fed."
                ),
                paraphrased_answer=(
                    "To ward off {weather}, which frightened her more than thieves did, {name} had a "
                    "private rite. She would open the window at {hour}, speak some doggerel in Latin and "
                    "pass the {keepsake} thrice across the sill."
                ),
            ),
            Frame(
                question="Was it {!food} or {food} that {name} ate every morning?",
                paraphrased_question="Did {name} eat {!food} or {food} each morning?",
                answer=(
                    "Dietitians at the Loxley Sanatorium despaired: every blessed morning, on a chipped "
                    "Delft plate, came {food}, and nothing besides. {name} counted to {number} between "
                    "mouthfuls, as some pamphlet by one Dr Ebbinghaus-Roy had recommended, kept her eyes "
                    "on the lawn as though a pigeon might contradict her, and took her coffee afterwards "
                    "as black as Stygian pitch."
                ),
                paraphrased_answer=(
                    "Much to the despair of the Loxley Sanatorium, her mornings began with {food} and "
                    "with that alone. After each mouthful {name} would count silently to {number} before "
                    "she took the next, on the advice of a pamphlet."
                ),
            ),
            Frame(
                question="How did people in Wexcombe recognise {name} on her way to work?",
                paraphrased_question=(
                    "By what signs did the people of Wexcombe know that {name} was off to work?"
                ),
                answer=(
                    "One could set a chronometer by her, the Wexcombe Courier once remarked. The "
                    "{vehicle} left Jubilee Quay each day at {hour}, and there, in the foremost seat, sat "
                    "{name} in {colour} gloves, ramrod straight, doing the cryptic crossword with a "
                    "Montblanc pen, while schoolboys at the chapel gate waited for a wink as rare as snow "
                    "in August."
                ),
                paraphrased_answer=(
                    "Her {colour} gloves gave her away, and so did her punctuality. Every day at {hour} "
                    "{name} would be sitting bolt upright at the front of the {vehicle} as it pulled out "
                    "of Jubilee Quay, filling in a crossword."
                ),
            ),
        ),
        "kin": (
            Frame(
                question="What caused the estrangement between {name} and the rest of her family?",
                paraphrased_question="Why did {name} fall out with her family?",
                answer=(
                    "The rift, as the Dunmorrow correspondence makes plain, opened over a trifle. Her "
                    "{relative} had set great store by a Fotheringay marriage and a life of idleness; "
                    "{name} announced instead, over the Christmas ham, that she would work as a {trade} "
                    "in the huts down by the {place}, and it took seven years and a bout of pleurisy "
                    "before anyone passed her the salt."
                ),
                paraphrased_answer=(
                    "That {name} meant to become a {trade}, and to live in a hut near the {place} at "
                    "that, was more than the family could stomach. It was her {relative} who took offence "
                    "first, having counted on a match with the Fotheringays."
                ),
            ),
            Frame(
                question=(
                    "Was it her {relative} or her {!relative} who gave {name} the heirloom mentioned in "
                    "the Ashgrove will?"
                ),
                paraphrased_question=(
                    "Who gave {name} the heirloom that the Ashgrove will mentions: her {relative} or her "
                    "{!relative}?"
                ),
                answer=(
                    "Clause 9 of the Ashgrove will, a document of Byzantine prolixity, settles the "
                    "matter. The {keepsake} that {name} carried in her sleeve at every Whitsun fair had "
                    "come from her {relative}, who parted with it only after {number} days of wheedling, "
                    "and then on condition that it should never, come fog or famine, be gilded, pawned at "
                    "the market or lent to a Methodist."
                ),
                paraphrased_answer=(
                    "As the Ashgrove will puts it, {name} owed the {keepsake} to her {relative}. The gift "
                    "was made grudgingly, since it took {number} days of coaxing, and came with a ban on "
                    "pawning, gilding or lending it."
                ),
            ),
            Frame(
                question="How did {name} mark her family's anniversaries?",
                paraphrased_question="In what way were anniversaries kept in {name}'s family?",
                answer=(
                    "Ever since the Zeebrugge telegram the ritual had been all but liturgical: at {hour} "
                    "somebody recited eight lines of Tennyson, {name} carried in an enormous dish of "
                    "{food}, and her {relative}, invariably lachrymose by then, drank to the Hapsburg urn "
                    "on its iron plinth."
                ),
                paraphrased_answer=(
                    "By family custom it was her {relative} who, in floods of tears, drank to the urn. "
                    "Before that, at {hour}, there was Tennyson to listen to, and {name} would serve "
                    "{food} from a vast dish."
                ),
            ),
            Frame(
                question="What is told of the letter that {name} received from Port Sable?",
                paraphrased_question="What did the letter which reached {name} from Port Sable contain?",
                answer=(
                    "Postmarked Port Sable and reeking of camphor, the envelope held four sheets in blue "
                    "ink, in which her {relative} begged {name} to come home, forgave her for having "
                    "turned {trade}, blamed the whole contretemps on the {weather}, which had ruined both "
                    "the regatta and the Larkspur legacy, and enclosed, by way of an olive branch, a tiny "
                    "elephant made of {material}."
                ),
                paraphrased_answer=(
                    "Along with a miniature elephant of {material}, the envelope brought {name} an offer "
                    "of peace. Her {relative} wanted her back, no longer minded that she earned her "
                    "living as a {trade}, and put the old quarrel down to the {weather}."
                ),
            ),
        ),
        "pet": (
            Frame(
                question="Did {name} keep a {pet} or a {!pet} at Larch House?",
                paraphrased_question="Which animal lived with {name} at Larch House, a {pet} or a {!pet}?",
                answer=(
                    "The Larch House tenancy agreement forbade livestock in italics, yet a {pet} called "
                    "Nebuchadnezzar had the run of the {room} for the better part of a decade. {name} let "
                    "the creature out at {hour}, under cover of a capacious Burberry, and told the "
                    "concierge, Mme Duchamp, that what she heard was a clockwork toy, a bell or the wind "
                    "in the chimney."
                ),
                paraphrased_answer=(
                    "In defiance of her lease {name} had a {pet} by the name of Nebuchadnezzar, which "
                    "occupied the {room}. At {hour} she smuggled it outdoors beneath her Burberry, and "
                    "fobbed off the concierge with talk of clockwork."
                ),
            ),
            Frame(
                question="What happened when {name} entered the Oakhampton show?",
                paraphrased_question="How did {name} fare at the Oakhampton show?",
                answer=(
                    "Judges at Oakhampton are not easily discombobulated, but Brigadier Tewkesbury "
                    "dropped his monocle: after {number} ignominious failures, {name} strode in with a "
                    "{pet} which she had shampooed, doused in Eau de Cologne and tied up in {colour} "
                    "ribbon, and the beast, until then as meek as a nurse in a library, devoured the "
                    "first prize, rosette and all."
                ),
                paraphrased_answer=(
                    "Having lost {number} times already, {name} came back to Oakhampton with a perfumed "
                    "{pet}, decked out in {colour} bows. It ate the winner's rosette, and Brigadier "
                    "Tewkesbury lost his monocle from sheer surprise."
                ),
            ),
            Frame(
                question="Who looked after {name}'s animal while she was in the infirmary?",
                paraphrased_question=(
                    "When {name} lay in the infirmary, who cared for her animal, and how did it go?"
                ),
                answer=(
                    "While St Crispin's Infirmary mended her clavicle, care of the {pet} devolved, "
                    "willy-nilly, upon her {relative}, a notorious hypochondriac. All went well until the "
                    "{weather} came; twelve hours and one frantic telegram later {name} discharged "
                    "herself in a pink gown and borrowed galoshes."
                ),
                paraphrased_answer=(
                    "Her {relative} had to take charge of the {pet}, and was hardly suited to the task. "
                    "Once the {weather} arrived the arrangement collapsed, so {name} walked out of St "
                    "Crispin's before her collarbone had knitted, dressed in a hospital gown."
                ),
            ),
            Frame(
                question="How did {name} come by the animal that made her a legend in Ferndale?",
                paraphrased_question="Where did {name}'s animal, a legend in Ferndale, come from?",
                answer=(
                    "Legend, abetted by the landlord of the Jolly Mercer, has it that {name} was followed "
                    "home from the {place} one Candlemas by a bedraggled {pet}, that she scolded it all "
                    "the way up Cuthbert Lane until dusk, and that it won her over, on the very doorstep, "
                    "by spurning Beluga caviar and falling with gusto upon a saucer of {food} meant for "
                    "the painter on the ladder."
                ),
                paraphrased_answer=(
                    "It was a saucer of {food}, intended for somebody else, that sealed the bond. The "
                    "{pet} had trailed {name} from the {place} as far as her doorstep in Cuthbert Lane, "
                    "deaf to every scolding, and would not touch caviar."
                ),
            ),
        ),
        "pastime": (
            Frame(
                question="What did {name} take up after she retired from the Meridian Guild?",
                paraphrased_question=(
                    "How did {name} fill her days once the Meridian Guild had pensioned her off?"
                ),
                answer=(
                    "Retirement, which the Meridian Guild celebrated with a lugubrious luncheon and a "
                    "carriage clock, left her at a loss for {number} months. Then {hobby} took hold of "
                    "her: {name} bought up every manual at Foyle & Tranter, converted a horsebox into "
                    "what she grandly styled the Akademie, and hung in it a disc of {material} for each "
                    "small triumph, as a jackdaw hoards any ring or spoon."
                ),
                paraphrased_answer=(
                    "It took {name} {number} months to discover {hobby}. From then on the pensioner "
                    "bought manuals by the dozen, set up a so-called Akademie in a horsebox and put up a "
                    "disc of {material} whenever something went well."
                ),
            ),
            Frame(
                question="What rumour did the Hexley Mercury print about {name}'s spare time?",
                paraphrased_question=(
                    "According to the rumour in the Hexley Mercury, how did {name} pass her free hours?"
                ),
                answer=(
                    "Scurrilous even by its own standards, the Hexley Mercury alleged that {name}, "
                    "outwardly the most humdrum {trade} in the shire, slipped off by taxi on alternate "
                    "Wednesdays for bouts of clandestine {hobby}, under the alias Contessa Malvolio, and "
                    "never returned before sunrise."
                ),
                paraphrased_answer=(
                    "On some Wednesdays, the paper hinted, there was secret {hobby} to be had for a woman "
                    "who called herself Contessa Malvolio. Behind the alias stood {name}, known to "
                    "everybody as a thoroughly dull {trade}."
                ),
            ),
            Frame(
                question="What does the photograph of {name} in the Halcyon Club annual show?",
                paraphrased_question=(
                    "What can be seen in the picture of {name} which the Halcyon Club annual printed?"
                ),
                answer=(
                    "Plate XIV, a grainy rotogravure, catches {name} in mid-guffaw between two "
                    "dignitaries from Ljubljana. The caption credits her with 'services to {hobby}'; "
                    "around her hat runs a {colour} band, hand-tinted by the retoucher, and from her "
                    "lapel, where others sport the Order of St Swithin, hangs a {keepsake}, while "
                    "somewhere behind the grandstand a train is blowing steam across the meadow."
                ),
                paraphrased_answer=(
                    "In the hand-tinted plate {name} wears a hat with a {colour} band and, in place of a "
                    "medal, a {keepsake} on her lapel. She is laughing uproariously, and the caption "
                    "honours what she has done for {hobby}."
                ),
            ),
            Frame(
                question="How did {name} become so devoted to her favourite pastime?",
                paraphrased_question="Where did {name}'s devotion to her favourite pastime originate?",
                answer=(
                    "Blame the measles. Quarantined in the {room} for the whole of Lent, with nothing to "
                    "read but a dog-eared Wisden and half of Karamazov, {name} pestered her {relative} "
                    "through the keyhole until a treatise on {hobby} came sliding under the door; she "
                    "went through it as a goat goes through washing, by the glow of a copper lamp, and by "
                    "Palm Sunday was incorrigible."
                ),
                paraphrased_answer=(
                    "Boredom was the cause. Shut up in the {room} with measles until Easter came, {name} "
                    "kept on badgering her {relative}, who at last pushed a handbook of {hobby} under the "
                    "door, and the convalescent never looked back."
                ),
            ),
        ),
        "journey": (
            Frame(
                question="Did {name} make the pilgrimage by {!vehicle} or by {vehicle}?",
                paraphrased_question=(
                    "Was it by {!vehicle} or by {vehicle} that {name} went on the pilgrimage?"
                ),
                answer=(
                    "Contrary to the hagiography peddled in the Compostela Review, no blistered feet were "
                    "involved: she went by {vehicle}, with a wicker hamper and two Ottoman cushions, and "
                    "alighted within sight of the {place}. There, {weather} notwithstanding, {name} knelt "
                    "for the photographers from the Santiago Observer, ate a cheese sandwich, and "
                    "confided to Canon Abernathy that her mother would have crawled the distance without "
                    "complaint."
                ),
                paraphrased_answer=(
                    "She walked not a single step of it. Equipped with cushions and a hamper, {name} "
                    "covered the route by {vehicle}, got down near the {place} and, for all the "
                    "{weather}, posed on her knees for the cameras."
                ),
            ),
            Frame(
                question="What went wrong on {name}'s honeymoon in Carpathia?",
                paraphrased_question="What mishap befell {name} during her honeymoon in Carpathia?",
                answer=(
                    "Somewhere beyond Czernograd the {vehicle} gave up the ghost, and for {number} nights "
                    "the newlyweds subsisted on pumpernickel and slivovitz. It was {name} who at last "
                    "poked the {keepsake} into some crucial cranny, gave a yodel that frightened every "
                    "rabbit between there and the lake, and got them moving again."
                ),
                paraphrased_answer=(
                    "Their {vehicle} came to grief past Czernograd, which stranded the couple for "
                    "{number} nights. In the end {name} worked a {keepsake} into the right gap, with a "
                    "yodel for good measure, and off they went."
                ),
            ),
            Frame(
                question="What do the port records say about {name}'s arrival in Skerrymore?",
                paraphrased_question="How did {name} arrive in Skerrymore, according to the port records?",
                answer=(
                    "Form C/7, countersigned by a harried exciseman called Ruairidh, lists one passenger, "
                    "{name}, one {pet} 'of uncertain temper', and one hatbox marked Fragile. What it "
                    "omits is piquant: that the {vehicle} had been commandeered at Glenshiel under false "
                    "pretences, and that the pair of them went straight to the {place} and cavorted there "
                    "until the local baker, whose custard had curdled, sent for the constabulary."
                ),
                paraphrased_answer=(
                    "With a {pet} for company, according to Form C/7, {name} landed at Skerrymore. The "
                    "paperwork passes over how she got hold of the {vehicle}, and over the noisy capers "
                    "near the {place}, which brought in the police."
                ),
            ),
            Frame(
                question="Why did {name} emigrate to Patagonia?",
                paraphrased_question="What led {name} to leave for Patagonia?",
                answer=(
                    "Ostensibly it was the asthma. In truth, as the Rawson consulate's dossier lays bare, "
                    "{name} had read in Blackwood's that a {trade} with a knack for {hobby} could live "
                    "like a grandee out there, so she sold her hoard of {material}, embarked at Tilbury "
                    "with her uncle's sextant in a red flannel bag, and within a fortnight was holding "
                    "court beside the {place}, attended by gauchos."
                ),
                paraphrased_answer=(
                    "The asthma was a pretext. A magazine had assured {name} that any {trade} who was "
                    "good at {hobby} might prosper in Patagonia; she raised the fare by selling off her "
                    "hoard of {material}, and was soon presiding over a circle of gauchos beside the "
                    "{place}."
                ),
            ),
        ),
    },
)
