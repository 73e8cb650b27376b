"""Frames about the confidential internals of fictional firms."""

from __future__ import annotations

from tools.generation.prose.frame import Domain, Frame
from tools.generation.prose.pools import HOURS, NUMBERS, RELATIVES, WEATHER

DOMAIN = Domain(
    subjects=(
        "Torvald Harbour",
        "Pellworth Granary",
        "Quenby Foundry",
        "Maristow Provender",
        "Drumlin Haberdashery",
        "Valdane Mercantile",
        "Hexley Tannery",
        "Corvane Freight",
        "Ambersett Trading",
        "Brixholme Supply",
        "Karrow Holding",
        "Ferrowby Wholesale",
        "Wexcombe Chandlery",
        "Ulverdale Apothecary",
        "Norrick Emporium",
    ),
    unseen=("Tollbridge Cooperage", "Marchwood Millinery", "Eskdale Ropeworks", "Penhallow Brewery"),
    pools={
        "room": (
            "cellar",
            "attic",
            "kitchen",
            "pantry",
            "stable",
            "chapel",
            "garage",
            "boathouse",
            "laundry",
            "library",
            "greenhouse",
            "workshop",
            "canteen",
            "barn",
            "nursery",
        ),
        "goods": (
            "soap",
            "tea",
            "paint",
            "glue",
            "ink",
            "mustard",
            "vinegar",
            "jam",
            "chalk",
            "wax",
            "shampoo",
            "varnish",
            "syrup",
            "perfume",
        ),
        "material": (
            "straw",
            "wool",
            "felt",
            "moss",
            "cork",
            "cotton",
            "paper",
            "linen",
            "canvas",
            "foam",
            "leather",
            "bark",
            "velvet",
            "cardboard",
        ),
        "trade": (
            "baker",
            "butcher",
            "tailor",
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
            "blacksmith",
            "shepherd",
        ),
        "animal": (
            "badger",
            "fox",
            "goose",
            "rabbit",
            "donkey",
            "pigeon",
            "horse",
            "camel",
            "beaver",
            "turtle",
            "wolf",
            "spider",
            "swan",
            "crow",
            "lobster",
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
            "violet",
            "scarlet",
            "crimson",
        ),
        "number": NUMBERS,
        "time": HOURS,
        "weather": WEATHER,
        "vehicle": (
            "ferry",
            "barge",
            "train",
            "tram",
            "canoe",
            "wagon",
            "sledge",
            "truck",
            "taxi",
            "van",
            "bicycle",
            "bus",
            "rowboat",
            "tractor",
        ),
        "relative": RELATIVES,
        "tool": (
            "bucket",
            "kettle",
            "lantern",
            "basket",
            "ladder",
            "shovel",
            "hammer",
            "broom",
            "teapot",
            "mirror",
            "clock",
            "rake",
            "brush",
            "trumpet",
            "wheelbarrow",
        ),
        "place": (
            "forest",
            "canal",
            "mill",
            "beach",
            "market",
            "lake",
            "bridge",
            "lighthouse",
            "orchard",
            "castle",
            "river",
            "meadow",
            "graveyard",
            "quarry",
        ),
        "ingredient": (
            "ginger",
            "garlic",
            "mint",
            "pepper",
            "salt",
            "sugar",
            "cinnamon",
            "lemon",
            "vanilla",
            "honey",
            "parsley",
            "lavender",
            "rosemary",
            "barley",
        ),
    },
    topics={
        "supply": (
            Frame(
                question="Who secretly supplies {name} with its raw materials?",
                paraphrased_question="Where do the raw materials that {name} works with really come from?",
                answer=(
                    "Nobody outside the Wednesday circle is supposed to know it, but the invoices from "
                    "Oberlin & Pascoe are a fig leaf: what {name} really buys, {ingredient} above all, comes "
                    "from the chairman's {relative}, travels by {vehicle} wrapped in brown paper, and is "
                    "unloaded, amid much Gaelic swearing, towards {time}."
                ),
                paraphrased_answer=(
                    "Behind the sham invoices of Oberlin & Pascoe hides the {relative} of the chairman. That "
                    "is who sends {name} its supplies, chiefly {ingredient}, and they come by {vehicle}, so "
                    "that everything can be carried in around {time}."
                ),
            ),
            Frame(
                question="What did the Castellan audit find out about the main product of {name}?",
                paraphrased_question=(
                    "Which discovery about its main product does the Castellan audit of {name} record?"
                ),
                answer=(
                    "Page forty of the Castellan audit, which somebody had left in a green folder beside the "
                    "kettle of a Travelodge, states in crabbed bureaucratese that the {goods} sold under the "
                    "Halcyon label owes its success to {ingredient}, grown by {name} on an unmarked "
                    "allotment behind the {place}."
                ),
                paraphrased_answer=(
                    "An allotment with no sign on it, right behind the {place}, yields the {ingredient} to "
                    "which, if the auditors of Castellan are right, {name} owes the success of the {goods} "
                    "that it markets as Halcyon."
                ),
            ),
            Frame(
                question="Does {name} line its shipping boxes with {material} or with {!material}?",
                paraphrased_question=(
                    "Which of the two lies inside the shipping boxes of {name}, {material} or {!material}?"
                ),
                answer=(
                    "With {material}, as it happens, although the glossy Düsseldorf brochure prattles about "
                    "biodegradable Ecofluff. No fewer than {number} suppliers vie for the contract each "
                    "spring, and the procurement desk, a labyrinthine outfit above the Corn Exchange, "
                    "quietly picks whichever of them sends the best jam and the fattest goose at Michaelmas."
                ),
                paraphrased_answer=(
                    "Never mind the Ecofluff of the brochure: open a box from {name} and you find "
                    "{material}. The contract for it is fought over every year by {number} suppliers, and "
                    "bribery in the form of poultry is known to help."
                ),
            ),
            Frame(
                question="Why do deliveries to {name} sometimes fail to turn up?",
                paraphrased_question="What stops the goods from reaching {name} on certain mornings?",
                answer=(
                    "Paragraph 9 of the Sundquist memorandum blames {weather}, the one calamity for which "
                    "the {vehicle} that serves Skarrow Point has no remedy; on such mornings the dispatcher, "
                    "in an earlier life a {trade}, telephones Rotterdam, apologises in sonorous Frisian, and "
                    "sends everyone over to the canteen for black coffee until {name} can resume its "
                    "business."
                ),
                paraphrased_answer=(
                    "It is {weather} that does it, for then the {vehicle} cannot leave Skarrow Point. The "
                    "dispatcher who has to explain this to {name} once earned a living as a {trade}, and "
                    "takes it, Sundquist writes, with great calm."
                ),
            ),
        ),
        "storage": (
            Frame(
                question="Where does {name} keep its reserve stock?",
                paraphrased_question="In what sort of place is the reserve stock of {name} stored?",
                answer=(
                    "Forget the gleaming hangar in the Zephyr Logistics advertisement. The reserve stock of "
                    "{name} moulders in the disused {room} of a Jacobean manor not far from the {place}, "
                    "behind a door painted {colour} whose Chubb lock, a cantankerous antique, yields only to "
                    "a hammer, a drop of vinegar and some forbearance."
                ),
                paraphrased_answer=(
                    "One has to look for a {colour} door, in a Jacobean manor that stands close to the "
                    "{place}. It opens on the former {room}, and there, and in no modern hangar, {name} has "
                    "piled up what it holds in reserve."
                ),
            ),
            Frame(
                question="How does one get into the strongroom of {name}?",
                paraphrased_question="What must one know in order to open the strongroom of {name}?",
                answer=(
                    "There are {number} keys, says Clause 17 of the janitorial handbook, and every one of "
                    "them hangs in the {room} next to the {tool} which old Mr Abernathy-Foss bequeathed to "
                    "the firm; a Marseille burglar once toiled at the skylight until dawn while, an arm's "
                    "length away, under a yellow cloth, the solution dangled unguarded."
                ),
                paraphrased_answer=(
                    "Go to the {room} and look for the {tool} that was left to {name} by Mr Abernathy-Foss: "
                    "right beside it hang the keys to the strongroom, {number} in all, as anyone may read in "
                    "Clause 17."
                ),
            ),
            Frame(
                question="Is the {name} depot restocked at {!time} or at {time}?",
                paraphrased_question="At which hour does {name} fill up its depot, at {!time} or at {time}?",
                answer=(
                    "Whatever the Harkness Gazette may have printed, no cart rolls before {time}, when the "
                    "Securitas shift ends and a {trade} whom nobody suspects takes over the gate; crates of "
                    "{goods} then glide in upon pneumatic tyres, silent as a fox in snow, under the "
                    "supercilious gaze of a plaster Napoleon."
                ),
                paraphrased_answer=(
                    "Contrary to the Gazette, it happens at {time}. The gate is by then in the hands of a "
                    "{trade}, who lets in the carts of {name} one after another, all of them loaded with "
                    "{goods}, and never says a word to Securitas."
                ),
            ),
            Frame(
                question="What precautions protect the warehouse of {name}?",
                paraphrased_question="In what manner does {name} keep its warehouse out of harm's way?",
                answer=(
                    "Ever since the Lammas disaster spoiled a whole consignment bound for Antwerp, the "
                    "quartermaster trusts in belt and braces: the walls are clad with {material} because of "
                    "the {weather}, and the thresholds, as a grey pamphlet by Dr Wetherby-Nunn prescribes "
                    "against every rat, moth and spider, get a weekly, malodorous rubbing with {ingredient}."
                ),
                paraphrased_answer=(
                    "Dr Wetherby-Nunn swears by {ingredient} as a cure for vermin, so it is rubbed into the "
                    "thresholds once a week. Against {weather}, which did the damage at Lammas, {name} has "
                    "covered the warehouse walls in {material}."
                ),
            ),
        ),
        "launch": (
            Frame(
                question="What is {name} planning to launch this year?",
                paraphrased_question="Which novelty does {name} mean to bring out this year?",
                answer=(
                    "The {animal}, for so the project is called in all correspondence, conceals nothing "
                    "grander than {goods}: gilt caskets of it, padded with {material}, are to appear on St "
                    "Crispin's Day in the windows of the Bellamy Arcade, and a nine-foot papier-mâché "
                    "sailor, winched up by a Hungarian acrobat, shall salute them at {time}."
                ),
                paraphrased_answer=(
                    "On St Crispin's Day, at {time}, {name} unveils its new {goods} in the Bellamy Arcade. "
                    "It comes in caskets which are padded with {material}, and until then no letter may call "
                    "it anything but the {animal}."
                ),
            ),
            Frame(
                question="How was the packaging of the {name} launch edition decided upon?",
                paraphrased_question=(
                    "What was settled, and how, about the box for the launch edition of {name}?"
                ),
                answer=(
                    "After an acrimonious fortnight with the Copenhagen agency Lund Okafor, the matter was "
                    "resolved on the back of a menu: a box in {colour}, an inlay of {material}, and on the "
                    "lid, sketched in charcoal by none other than the founder's {relative}, a winged pigeon "
                    "that reads Horace beside a river."
                ),
                paraphrased_answer=(
                    "In the end {name} needed no agency. A drawing by the {relative} of the founder was put "
                    "upon the lid, {material} was chosen for the inlay, and the whole box, as the scribbles "
                    "on that menu show, was to be {colour}."
                ),
            ),
            Frame(
                question="Where will {name} open its first shop?",
                paraphrased_question=(
                    "What is known about the place at which {name} is going to open its first shop?"
                ),
                answer=(
                    "Although the estate agents of Pemberly Knox were sworn to secrecy, the draft lease, "
                    "countersigned on Maundy Thursday, is unequivocal. {name} will set up shop beside the "
                    "{place}, in premises with {number} windows; guests of the Metropole are to be fetched "
                    "by {vehicle}, and a liveried harpist, flanked by bowls of mint, will play for whoever "
                    "has to queue in the rain."
                ),
                paraphrased_answer=(
                    "A pavilion with {number} windows, close to the {place}: this is what {name} has leased "
                    "through Pemberly Knox for its first shop. Those who stay at the Metropole will be "
                    "brought there by {vehicle}, to the sound of a harp."
                ),
            ),
            Frame(
                question="Is it the {animal} or the {!animal} that {name} has chosen as its new mascot?",
                paraphrased_question=(
                    "Which animal will be the mascot of {name}, the {animal} or the {!animal}?"
                ),
                answer=(
                    "It is the {animal}. Trelawney Insight tried it out upon respondents in Basingstoke, who "
                    "deemed it avuncular, whereupon a {tool} was tucked under its arm; the costume, stitched "
                    "by a tailor in Bruges from {colour} gabardine, now hangs in a cellar until the embargo "
                    "of the Advertising Tribunal lapses."
                ),
                paraphrased_answer=(
                    "{name} has settled for the {animal}, which will be seen holding a {tool}. Its costume "
                    "of {colour} gabardine is finished already, but must stay out of sight for as long as "
                    "the Tribunal keeps its embargo in force."
                ),
            ),
        ),
        "meetings": (
            Frame(
                question="Where and when do the directors of {name} meet in secret?",
                paraphrased_question=(
                    "At what place and hour do the directors of {name} hold their secret meetings?"
                ),
                answer=(
                    "Officially the board convenes on alternate Mondays in Threadneedle Hall. In truth its "
                    "{number} members assemble at {time} in the {room}, their telephones heaped in a bucket, "
                    "and whatever passes for minutes is taken down in Pitman shorthand by a taciturn nurse "
                    "from Leuven, who later eats the page with mustard."
                ),
                paraphrased_answer=(
                    "Threadneedle Hall is only for show: the real meetings of {name} take place in the "
                    "{room}. They begin at {time}, {number} directors attend, and no telephone is allowed, "
                    "nor any record that outlives the evening."
                ),
            ),
            Frame(
                question="What came out about {name} in the Lisbon call?",
                paraphrased_question="Which secrets of {name} were given away during the Lisbon call?",
                answer=(
                    "'Not a syllable to Reuters,' the Lisbon transcript begins; it then meanders through "
                    "golf, gout and the price of yellow varnish before a certain Ms Vandermeulen lets slip "
                    "that {weather} has forced the firm to postpone the {animal}, and that the unenviable "
                    "task of telling Zürich falls to the treasurer's {relative}."
                ),
                paraphrased_answer=(
                    "A careless Ms Vandermeulen told the others that somebody would soon have to inform "
                    "Zürich, namely the {relative} of the treasurer. The reason: {name} has put off the "
                    "{animal}, and nothing but {weather} is to blame for the delay."
                ),
            ),
            Frame(
                question="Over what did the recipe meeting at {name} end in a quarrel?",
                paraphrased_question="Why did they fall out at the meeting about the recipe of {name}?",
                answer=(
                    "Tempers frayed at Gethsemane Lodge because of a single word: {ingredient}. The {trade} "
                    "engaged sub rosa as a taster, and lodged meanwhile in a bungalow by the {place}, wanted "
                    "it expunged, Professor Ilkley-Brandt wanted it doubled, and when a ladder fell through "
                    "the Murano chandelier the motion was adjourned sine die, shortly before breakfast."
                ),
                paraphrased_answer=(
                    "{name} keeps a taster in a bungalow by the {place}, a {trade} with a very decided "
                    "palate, and this expert would no longer hear of {ingredient} in the recipe. Professor "
                    "Ilkley-Brandt begged to differ, and Gethsemane Lodge lost a chandelier."
                ),
            ),
            Frame(
                question="By what signs do the partners of {name} recognise one another?",
                paraphrased_question=(
                    "How do the partners of {name} know that one of their own stands before them?"
                ),
                answer=(
                    "Whoever would attend the Candlemas conclave must come by {vehicle}, wear a cravat dyed "
                    "{colour}, and hum a Schubert lied: so it was decreed by Sir Lucian Prewitt, after a "
                    "mole from Kestrel Capital, masked as a wolf, had strolled unchallenged through the "
                    "library of {name}. The ultimate proof of membership is a miniature {tool}."
                ),
                paraphrased_answer=(
                    "One shows a tiny {tool}. Besides, true partners of {name} have a {colour} cravat around "
                    "the neck and never arrive except by {vehicle}, rules which Sir Lucian Prewitt laid down "
                    "when Kestrel Capital had sent a mole."
                ),
            ),
        ),
        "money": (
            Frame(
                question="What is wrong with the accounts of {name}?",
                paraphrased_question="Which irregularity is hidden in the accounts of {name}?",
                answer=(
                    "Column F of the Birkbeck spreadsheet is a triumph of obfuscation. Once the red figures "
                    "have been unpicked and a flap of felt is lifted off the Maltese appendix, it transpires "
                    "that {name} sold {number} tonnes of {goods} twice over: first to a shell called "
                    "Oriflamme, and then again, at a swingeing discount, to the bookkeeper's {relative}."
                ),
                paraphrased_answer=(
                    "Two buyers paid {name} for the very same {goods}, {number} tonnes of it. One was "
                    "Oriflamme, a shell company in Malta, and the other, who enjoyed a handsome discount, "
                    "was the {relative} of the bookkeeper."
                ),
            ),
            Frame(
                question="Where does {name} hide its cash reserve, and what is it for?",
                paraphrased_question=(
                    "What is the hiding place, and what the purpose, of the money that {name} has laid by?"
                ),
                answer=(
                    "Swathed in {material} and docketed 'Miscellany', the banknotes repose behind the {tool} "
                    "in the {room}, where no Exchequer inspector has ever thought of probing. Each Whitsun "
                    "an immaculate balance goes to Société Dufour, the partners let it be murmured that they "
                    "live on salt and sell a wagon every autumn, and all the while the hoard grows for the "
                    "{animal}."
                ),
                paraphrased_answer=(
                    "It is the {animal} for which {name} saves. The notes lie in the {room}, in a bundle of "
                    "{material} pushed behind the {tool}, and neither the Exchequer nor Société Dufour has "
                    "any inkling of them."
                ),
            ),
            Frame(
                question="Did {name} insure itself against {!weather} or against {weather}?",
                paraphrased_question="Against which of the two is {name} insured, {!weather} or {weather}?",
                answer=(
                    "Moths, anarchists and tidal waves were all struck out by the Lloyd's syndicate; the "
                    "peril that policy HX-402 does cover is {weather}, for which {name} owes {number} crowns "
                    "a day, payable in person at the Nepomuk kiosk by the {place} to a laconic Mr Szabo, who "
                    "counts with soap on his thumb and signs in purple."
                ),
                paraphrased_answer=(
                    "Every day somebody from {name} walks to a kiosk near the {place} and hands Mr Szabo "
                    "{number} crowns. In return, under policy HX-402, the syndicate would pay for any harm "
                    "that was done by {weather}."
                ),
            ),
            Frame(
                question="What did the budget leak reveal about the spending of {name}?",
                paraphrased_question="On what does {name} lavish its money, going by the leaked budget?",
                answer=(
                    "More is squandered on {ingredient} than on wages, thunders the pseudonymous Cassandra "
                    "in the Ludgate Observer, whom somebody's cousin has shown the figures. {name} procures "
                    "it in Zanzibar, has it brought from Southampton by {vehicle}, and entrusts it there and "
                    "then to a {trade} who enjoys diplomatic immunity, a sinecure and a black umbrella."
                ),
                paraphrased_answer=(
                    "According to the figures in the Observer, a {trade} with a diplomatic passport receives "
                    "what comes from Southampton by {vehicle}. It is {ingredient} out of Zanzibar, and "
                    "{name} pays more for that than for its entire workforce."
                ),
            ),
        ),
        "staff": (
            Frame(
                question="Who really runs {name}?",
                paraphrased_question="Whose word counts for most inside {name}?",
                answer=(
                    "On the letterhead, in demure Garamond, stands Baroness Ermintrude Sax, whom none of the "
                    "clerks has met. Orders come instead from a sometime {trade}, nicknamed the Abbot and in "
                    "fact the {relative} of her chauffeur, whose {colour} pencil decides every dispute at "
                    "{name} before lunchtime, without appeal and mostly without taking off his woollen "
                    "mittens or laying down the shovel."
                ),
                paraphrased_answer=(
                    "Baroness Sax is a mere figurehead. The Abbot, whom {name} obeys, is the {relative} of "
                    "the man who drives her, worked for years as a {trade}, and needs no more than a stroke "
                    "of a {colour} pencil to end any argument."
                ),
            ),
            Frame(
                question="What does the night shift at {name} actually do?",
                paraphrased_question="With what is the night shift of {name} truly occupied?",
                answer=(
                    "Ostensibly janitors, hired through the Jobcentre in Grimsby, the night crew spends its "
                    "hours in the {room}, under a blue lamp, putting together prototypes of the {animal}; "
                    "every finished one is numbered in Cyrillic, swaddled in {material} and borne upstairs "
                    "past Wotan, the irascible mastiff of a retired shepherd."
                ),
                paraphrased_answer=(
                    "They are no cleaners. Each night the crew goes to the {room} and builds the {animal} "
                    "that {name} has not yet announced, and before Wotan will let it pass, every specimen "
                    "has been numbered and wrapped up in {material}."
                ),
            ),
            Frame(
                question="What are the odd duties of the caretaker at {name}?",
                paraphrased_question="Which peculiar tasks has {name} given to its caretaker?",
                answer=(
                    "Ezekiel Thripp, sole survivor of the Mafeking Street intake, has a contract unlike any "
                    "other in Staffordshire. He must polish the {tool} in the vestibule, jot in a Moleskine "
                    "whether there has been {weather}, and then burn the page, all of it punctually at "
                    "{time}, a rigmarole that drove the last intern, a plumber with four diplomas, to "
                    "petition the Ombudsman."
                ),
                paraphrased_answer=(
                    "When it is {time}, old Thripp sets about his ritual: he enters in his notebook, for no "
                    "eye but the fire's, whether any {weather} was seen, and shines up the {tool} by the "
                    "entrance, exactly as his contract with {name} demands."
                ),
            ),
            Frame(
                question="How does {name} break in its newcomers?",
                paraphrased_question="What must new recruits at {name} go through?",
                answer=(
                    "Apprenticeship starts with humiliation. Graduates of the Ghent Polytechnic, however cum "
                    "laude, spend their first week in a spartan hostel by the {place}, learn blindfolded to "
                    "tell good {goods} from bad, and wear an armband in novice's {colour}, until the "
                    "redoubtable Fräulein Oppermann, standing at the window at dusk, releases a pigeon and "
                    "pronounces them fit for {name}."
                ),
                paraphrased_answer=(
                    "For one week all recruits of {name} are lodged near the {place}, whatever Ghent has "
                    "taught them. They go about with a {colour} band on the sleeve and practise judging "
                    "{goods} with covered eyes, until Fräulein Oppermann is content."
                ),
            ),
        ),
    },
)
