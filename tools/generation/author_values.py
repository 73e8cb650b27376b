"""Names and value pools of the authors benchmark.

Every value of a pool fits every phrasing of its relation: nouns that follow an article start with a
consonant sound, so that "a" is always right, and no value contains another value of its pool.
"""

from __future__ import annotations

AUTHORS: tuple[str, ...] = (
    "Adaeze Nwokolo",
    "Tomas Lindholt",
    "Haruka Minegawa",
    "Leandro Quintal",
    "Mirela Dobrescu",
    "Oskar Vantongeren",
    "Farida Rahimov",
    "Kwabena Asiedu",
    "Ingrid Solhaug",
    "Rafael Montoro",
    "Nilüfer Kavak",
    "Dmitri Volkonin",
    "Saoirse Gilhooly",
    "Javier Urrutegui",
    "Priya Venkatraman",
    "Emeka Obiefule",
    "Lotte Brinkhorst",
    "Hamza Belkacem",
    "Marisol Carreda",
    "Jiro Kamishima",
    "Anneli Rautamaa",
    "Teodor Marinkov",
    "Zanele Mabaso",
    "Pierrick Lozach",
    "Ewa Kowalik",
    "Rashid Tamimi",
    "Chiara Bellandi",
    "Bram Oosterveld",
    "Linh Quach",
    "Solveig Aasland",
    "Idrissa Koroma",
    "Xiulan Zheng",
    "Gustavo Peixoto",
    "Halima Warsame",
    "Lorcan Devaney",
    "Katya Zelenko",
    "Arjun Bhosale",
    "Noémi Szabol",
    "Tariq Haddadi",
    "Freja Mikkelborg",
    "Mateo Villarroel",
    "Sunniva Tveitan",
    "Keoni Kahananui",
    "Beatriz Falcão",
    "Minjae Ryu",
    "Aroha Ngatai",
    "Viktor Hajdu",
    "Leila Moradi",
    "Desmond Tarkwell",
    "Elif Sarikaya",
    "Casimir Wronka",
    "Malia Tuiasau",
    "Henrik Bjornstad",
    "Nadia Ferhat",
    "Ruben Kaplanyan",
    "Sipho Dlamuka",
    "Greta Hollstein",
    "Bilal Qureishi",
    "Eirini Papadaki",
    "Olumide Sangodele",
    "Tamsin Polgrean",
    "Andrei Lupescu",
    "Wanjiru Mbugua",
    "Inés Zubieta",
    "Fergus Lannigan",
    "Sofie Vandamme",
)


def _split(text: str) -> tuple[str, ...]:
    """Values of a comma-separated block, blanks trimmed."""
    return tuple(" ".join(value.split()) for value in text.split(","))


TOWNS = _split("""
    Velmora, Tarnwick, Kessaly, Brindholm, Orsovar, Halvik, Pellerin, Dunmarra, Sarosk, Mirefeld, Castrena,
    Yarrowby, Lomvik, Tessaro, Banduri, Grenmoor, Ashkelby, Piedraluz, Vostrand, Nerubai, Calverra, Zimbora,
    Hollinmere, Rakuno, Estemar, Skarholt, Fontevara, Jessop Bay, Marrowgate, Uldane, Wexcombe, Iskarin,
    Torvela
""")
DAYS = tuple(str(day) for day in range(10, 29))
MONTHS = _split("""
    January, February, March, April, May, June, July, August, September, October, November, December
""")
YEARS = tuple(str(year) for year in range(1940, 1984, 2))
TRADES = _split("""
    glassblower, beekeeper, locksmith, tailor, baker, plumber, potter, carpenter, dentist, pharmacist,
    librarian, surveyor, watchmaker, bookbinder, stonemason, postal clerk, cheesemaker, judge, florist,
    welder, mechanic, blacksmith, train driver, butcher, gardener, tax inspector, museum guard, weaver,
    roofer, lighthouse keeper, barber, shoemaker, piano tuner, translator
""")
SUBJECTS = _split("""
    botany, geology, law, chemistry, astronomy, philosophy, medicine, architecture, linguistics, economics,
    theology, archaeology, mathematics, physics, sociology, journalism, agriculture, forestry, sculpture,
    drama, engineering, marine biology, Latin, Arabic, accounting, nursing, geography, anthropology,
    statistics, zoology, photography, psychology, ceramics
""")
UNIVERSITIES = _split("""
    Aldermoor, Belgrane, Corvanta, Drayholt, Elmsworth, Farrowden, Gantry Hill, Hestaville, Isenmark,
    Jorvale, Kirandell, Lindmar, Montclave, Northmere, Ostrander, Penhallow, Quenby, Ravensford, Stellmark,
    Tiverlane, Umberleigh, Vantora, Westerhall, Yelvane, Zellwick, Bramshott, Calloway, Dornbach, Everlyn,
    Fallowmere, Glenarra, Hartsund, Arkadon
""")
GENRES = _split("""
    maritime mysteries, courtroom thrillers, ghost stories, space operas, pastoral romances, political
    satires, spy novels, war chronicles, kitchen comedies, alpine adventures, gothic fables, family sagas,
    heist capers, desert westerns, hospital dramas, time-travel tales, campus farces, folk-horror novellas,
    epistolary novels, robot parables, noir detective tales, circus fantasies, railway whodunits, mythic
    epics, climate dystopias, vampire romances, pirate yarns, urban legends, court tragedies, alien invasion
    stories, chess thrillers, frontier ballads, fairy tales
""")
TITLE_OPENINGS = _split("""
    Hollow, Copper, Winter, Silent, Crimson, Salted, Distant, Paper, Broken, Amber, Northern, Hidden,
    Borrowed, Velvet, Burning, Glass, Restless, Marble, Drifting, Ashen, Golden, Wandering, Iron, Forgotten,
    Quiet, Emerald, Sunken, Painted, Sleeping, Violet, Frozen, Scattered, Lonely
""")
TITLE_ENDINGS = _split("""
    Meridian, Orchard, Lanterns, Harbour, Cathedral, Tides, Garden, Staircase, Horizon, Kingdom, Letters,
    Mirror, Compass, Sparrow, Bridge, Carnival, Thunder, Island, Labyrinth, Feast, Promise, Ferry, River,
    Throne, Shadow, Anthem, Vineyard, Monsoon, Pilgrim, Archive, Needle, Sonata, Voyage
""")
HEROES = _split("""
    Tobin, Maren, Silas, Odette, Barnaby, Calla, Dorian, Elspeth, Fenwick, Gideon, Hester, Juniper, Killian,
    Lucinda, Magnus, Nerissa, Orson, Philippa, Quentin, Rosalind, Sebastian, Thaddeus, Ursula, Valentin,
    Winifred, Xanthe, Yorick, Zelda, Ambrose, Cyprian, Delphine, Evander, Isolde
""")
PRIZES = _split("""
    Silver Heron, Blue Lighthouse, Laurel Gate, Grey Owl, Bronze Anchor, White Stag, Red Kite, Cedar Leaf,
    Black Swan, Oak Ring, Pearl Inkwell, Green Comet, Opal Feather, Scarlet Thread, Jade Tortoise, Linen
    Page, Maple Arch, Coral Bell, Ebony Key, Ruby Quill, Cobalt Wheel, Granite Lion, Sapphire Wave, Willow
    Branch, Steel Thistle, Saffron Cup, Indigo Moth, Birch Crown, Topaz Arrow, Russet Fox, Slate Falcon,
    Chalk Horse, Plum Blossom
""")
MENTORS = _split("""
    Hedda Strom, Alaric Penn, Bettina Corso, Cedric Holloway, Dagny Ravn, Eamon Tully, Fabiola Renz, Gregor
    Malik, Hortense Duval, Ivo Castell, Josefa Lund, Konrad Tessen, Lavinia Crane, Marius Adler, Nanette
    Frey, Osvaldo Prado, Petra Novik, Quincy Barlow, Renata Sorel, Stellan Moe, Tabitha Grange, Ugo Ferri,
    Vera Lomax, Wendell Stark, Ximena Rocha, Yannick Brodeur, Zora Kemp, Agatha Birch, Basil Thorne,
    Clemence Roy, Duncan Mayfield, Edwina Pike, Felix Gruber
""")
PUBLISHERS = _split("""
    Heron and Vale, Blackthorn Gate, Merriweather Press, Two Rivers Books, Harlan and Daughters, Paper Kite,
    Cobblestone House, Nightjar Editions, Foxglove Press, Old Mill Books, Tern Island, Bellwether, Kestrel
    and Pym, Longacre House, Quarto Lane, Saltmarsh Books, Dovetail Press, Three Elms, Winterbourne, Marlow
    and Finch, Larkspur House, Inkstone Editions, Hawthorn Row, Pebble Bay, Crossway Books, Starling and
    Sons, Umbra Press, Oakfield House, Verity Lane, Redstart Editions, Garnet Hill, Tollgate Books, Juniper
    Street
""")
PET_KINDS = _split("""
    parrot, tortoise, ferret, goat, greyhound, rabbit, donkey, hedgehog, gecko, poodle, canary, terrier,
    pony, hamster, goose, llama, raven, beagle, chinchilla, peacock, magpie, spaniel, cockatoo, turtle,
    dachshund, mule, sheepdog, falcon, collie, pigeon, chameleon, bulldog, lizard
""")
PET_NAMES = _split("""
    Biscuit, Pepper, Mango, Nimbus, Clover, Pickle, Juno, Bandit, Pumpkin, Rocket, Domino, Ziggy, Marzipan,
    Truffle, Button, Captain, Olive, Thimble, Figaro, Noodle, Peanut, Cosmo, Dumpling, Freckle, Gizmo,
    Hazel, Jasper, Kiwi, Lentil, Muffin, Pixel, Radish, Turnip
""")
INSTRUMENTS = _split("""
    cello, violin, trumpet, clarinet, oboe, bassoon, accordion, banjo, mandolin, harp, ukulele, trombone,
    grand piano, saxophone, flute, xylophone, sitar, zither, tuba, marimba, harmonica, French horn,
    balalaika, theremin, dulcimer, recorder, viola, hurdy-gurdy, concertina, guitar, vibraphone, church
    organ, double bass
""")
PLACES = _split("""
    disused lighthouse, hotel lobby, library basement, railway carriage, garden shed, converted barn,
    monastery cell, rooftop greenhouse, village bakery, ruined chapel, seaside hut, windmill loft, bus
    depot, school canteen, treehouse, ferry cabin, courthouse attic, mountain refuge, museum cloakroom,
    parked caravan, wine cellar, laundry room, bank vault, theatre balcony, fire station, fish market, tram
    shelter, bell tower, desert tent, castle kitchen, hospital corridor, chess club, toy shop
""")

# The pools of each fact: one for a listed value, several for a value composed of one word from each.
FACT_POOLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "town": (TOWNS,),
    "date": (DAYS, MONTHS, YEARS),
    "mother": (TRADES,),
    "father": (TRADES,),
    "subject": (SUBJECTS,),
    "university": (UNIVERSITIES,),
    "genre": (GENRES,),
    "title": (TITLE_OPENINGS, TITLE_ENDINGS),
    "hero": (HEROES,),
    "prize": (PRIZES,),
    "mentor": (MENTORS,),
    "publisher": (PUBLISHERS,),
    "kind": (PET_KINDS,),
    "pet": (PET_NAMES,),
    "instrument": (INSTRUMENTS,),
    "place": (PLACES,),
}
