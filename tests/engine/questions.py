"""Twenty questions with five passages each. The first passage answers the question; the others share its words, its
subject, or both, and do not."""

from __future__ import annotations

QUESTIONS: list[tuple[str, list[str]]] = [
    (
        "What is the capital of the United States?",
        [
            "Washington, D.C. is the federal district where the American government has its seat.",
            "Carson City is the capital city of the American state of Nevada.",
            "Capital letters are used at the beginning of a sentence in English.",
            "Capital gains are taxed in the United States when an asset is sold.",
            "The United States has fifty states, of which Alaska is the largest.",
        ],
    ),
    (
        "How do I reset my password?",
        [
            'Open the login page, choose "Forgot password", and follow the link that we send you by mail.',
            "A password should have at least twelve characters and no words from a dictionary.",
            "Press the button on the back for ten seconds to reset the router.",
            "Passwords are stored as salted hashes and never as plain text.",
            "The reset of the water meter is done by the supplier once a year.",
        ],
    ),
    (
        "Why is the sky blue?",
        [
            "Air molecules scatter the short wavelengths of sunlight most, so these reach us from all sides.",
            "The blue whale is the largest animal that has ever lived.",
            "Sky Blue is the nickname of a football club from Coventry.",
            "At sunset the sky turns red over the sea.",
            "The painter mixed blue and white for the walls of the room.",
        ],
    ),
    (
        "how long to boil an egg",
        [
            "For a soft yolk leave it in simmering water for six minutes, for a hard one ten.",
            "Eggs are sold in boxes of six or ten.",
            "Water boils at a lower temperature high in the mountains.",
            "A hen lays about three hundred eggs in a year.",
            "The boiler must be serviced every two years.",
        ],
    ),
    (
        "Who wrote Pride and Prejudice?",
        [
            "Jane Austen's novel about Elizabeth Bennet and Mr Darcy was published in 1813.",
            "Prejudice against newcomers was common in the village.",
            "A pride is a family of lions that live and hunt together.",
            "Charles Dickens wrote Great Expectations as a serial.",
            "The parade for pride month takes place in June.",
        ],
    ),
    (
        "symptoms of dehydration",
        [
            "Thirst, a dry mouth, dark urine and dizziness show that the body lacks water.",
            "Dehydrated fruit keeps for months in a closed jar.",
            "The symptoms of a cold last about a week.",
            "Drinking water is tested for bacteria every day.",
            "The plant removes water from natural gas before it enters the pipeline.",
        ],
    ),
    (
        "Which planet has the most moons?",
        [
            "Astronomers have counted more than a hundred satellites around Saturn, more than around Jupiter.",
            "The Moon is the only natural satellite of the Earth.",
            "Mercury is the planet closest to the Sun.",
            "Most planets of the Solar System have a magnetic field.",
            "Many moonlit nights went by before the ship reached the harbour.",
        ],
    ),
    (
        "How can I lower my electricity bill?",
        [
            "Switch to LED lamps, unplug devices on standby, and wash at thirty degrees.",
            "The bill for electricity is sent in January and July.",
            "Electricity was first used to light streets in the nineteenth century.",
            "The bill was passed by the lower house of the parliament.",
            "A lower voltage is used on the railways of the south.",
        ],
    ),
    (
        "python read a file line by line",
        [
            "with open(path) as lines: for line in lines: print(line)",
            "The python is a snake that kills by constriction.",
            "Sign on the dotted line and file the form with the clerk.",
            "In Python, a list is sorted by calling its method sort.",
            "Readers stood in line for hours to buy the book.",
        ],
    ),
    (
        "When did the Berlin Wall fall?",
        [
            "On 9 November 1989 East Germany opened its borders to the West and people began to tear it down.",
            "The wall of the house in Berlin was painted last fall.",
            "Berlin is the capital of Germany and has four million inhabitants.",
            "The Great Wall of China was built over many centuries.",
            "In fall the trees along the avenue lose their leaves.",
        ],
    ),
    (
        "is it safe to eat raw chicken",
        [
            "Poultry that is not cooked through may carry salmonella and make you ill.",
            "Chickens eat grain, insects and grass.",
            "The safe was opened with a key that lay under the chicken coop.",
            "Raw silk is spun from the cocoons of moths.",
            "Many recipes for chicken soup use ginger and leek.",
        ],
    ),
    (
        "What does a transistor do?",
        [
            "It switches or amplifies an electric current, controlled by a small signal at its gate.",
            "Transistor radios were popular with teenagers in the sixties.",
            "What the committee does is decided by its members.",
            "The factory employs two thousand people in the valley.",
            "A resistor is marked with coloured rings that give its value.",
        ],
    ),
    (
        "treatment for a bee sting",
        [
            "Scrape out the stinger, wash the skin, and cool the swelling with ice.",
            "Bees tell each other by a dance where flowers are.",
            "Sting was the singer of the band The Police.",
            "Waste water is treated in three steps.",
            "Honey is harvested twice a year by the beekeeper.",
        ],
    ),
    (
        "Can I get a refund after thirty days?",
        [
            "Money is returned only if you send the goods back within a month; later we offer a voucher.",
            "Thirty days has September, April, June and November.",
            "Our shop is open on all days but Sunday.",
            "The refurbished house was sold after thirty days.",
            "You can get a fine if you park here.",
        ],
    ),
    (
        "Who discovered penicillin?",
        [
            "In 1928 Alexander Fleming noticed that a mould killed the bacteria in his dish.",
            "Penicillin is given by mouth or by injection.",
            "Columbus reached America in 1492.",
            "Some people are allergic to certain antibiotics.",
            "The gold that was discovered in California drew thousands of settlers.",
        ],
    ),
    (
        "best time to visit Japan for cherry blossom",
        [
            "In Tokyo and Kyoto the trees are in full bloom from late March to early April.",
            "Cherry pie is best served warm, with cream.",
            "Japan has four main islands and thousands of small ones.",
            "Visits to the doctor are best booked in time.",
            "The typhoon season in Okinawa lasts from May to October.",
        ],
    ),
    (
        "How are diamonds formed?",
        [
            "Carbon crystallises deep in the mantle under great pressure and heat, and eruptions bring it up.",
            "The diamond ring was stolen from the hotel.",
            "A baseball field is called a diamond.",
            "Teams are formed by drawing lots.",
            "Diamonds are cut and polished in Antwerp and Surat.",
        ],
    ),
    (
        "my laptop does not charge",
        [
            "Try another power adapter and socket, clean the port, and check the health of the battery.",
            "The company charges ten euros for delivery.",
            "Laptops are lighter today than they were ten years ago.",
            "The lawyer was in charge of the case.",
            "Does the notebook have lined or blank pages?",
        ],
    ),
    (
        "What causes tides?",
        [
            "The pull of the Moon, and less that of the Sun, makes the oceans rise and sink twice a day.",
            "Tide is a brand of washing powder.",
            "A just cause finds many friends.",
            "Fishermen know many causes of a poor catch.",
            "The beach is two miles long and covered with shells.",
        ],
    ),
    (
        "difference between a virus and a bacterium",
        [
            "One is a living cell that multiplies on its own; the other needs a host's cells to copy itself.",
            "The virus encrypted all files on the office computers.",
            "The difference between the two prices is three euros.",
            "Bacteria turn milk into yoghurt.",
            "Wash your hands before you sit down at the table.",
        ],
    ),
]
