"""Posts as a model would write them, each about something else."""

# ruff: noqa: E501 (prose)
from __future__ import annotations

from typing import Any

FACTS = [
    {
        "id": "f1",
        "text": "Digiton runs 7 agents for one shop in Lisbon.",
        "source_url": "",
    },
    {
        "id": "f2",
        "text": "Digiton checks every claim of an agent before a person sees it.",
        "source_url": "",
    },
]

SHOPS: dict[str, Any] = {
    "title": "AI agents for small shops: where to begin",
    "meta": "What AI agents can do for small shops today, which work to give them"
    " first, and how an owner keeps an eye on all of it.",
    "slug": "ai-agents-for-small-shops",
    "intro": "Most owners of small shops hear about AI agents every week, and few have"
    " time to try one. This post says which work to hand over first, what to keep, and"
    " how to know whether it went well. You need no team of engineers for that.",
    "sections": [
        {
            "heading": "Begin with the work nobody likes",
            "text": "Think of the mails that ask the same thing again and again. Where"
            " is my parcel? Do you have it in blue? When do you open on Sunday? An agent"
            " reads such a mail, looks into the order book, and writes an answer. You"
            " read the answer and press send. After some weeks you will know which"
            " answers need no second look.\n\n"
            "Returns are a good second step. The agent collects what the customer says,"
            " finds the invoice, and fills the form. A person still decides about the"
            " money. **Small steps are easy to take back**, and they teach you what the"
            " tool is bad at.",
        },
        {
            "heading": "Keep the keys to yourself",
            "text": "An agent works best when it cannot break much. Give it a login of"
            " its own, and let that login read more than it can write. Nothing should"
            " leave the house without a yes from you: no mail to a supplier, no change"
            " of a price, no post on the web.\n\n"
            "- Write down what it may do alone.\n"
            "- Write down what it has to ask for.\n"
            "- Look at both lists at the end of each month.\n\n"
            "Digiton checks every claim of an agent before a person sees it. That sounds"
            " slow, but it saves the owner from reading things that are not true.",
        },
        {
            "heading": "Measure in hours, not in wonder",
            "text": "A demo always looks good. So pick one number before you begin, such"
            " as the hours you spend on mail in a week, and count it for a month. Then"
            " switch the agent on and go on counting. If the number does not fall, stop"
            " and try other work.\n\n"
            "Watch what goes wrong as well. Keep a plain list of mistakes with the day"
            " and what they cost you. When the list grows shorter, you may hand over a"
            " little more. When it grows longer, take something back. Digiton runs 7"
            " agents for one shop in Lisbon.",
        },
    ],
    "faq": [
        {
            "question": "Do I need a programmer for this?",
            "answer": "No. You need an hour a day in the first weeks, a clear list of"
            " what the agent may do, and somebody who reads what it wrote. The tools"
            " themselves are set up in a browser.",
        },
        {
            "question": "What if the agent is wrong?",
            "answer": "It will be, so plan for it. Let it prepare work and let a person"
            " send it. Mistakes that nobody outside ever sees are cheap, and you learn"
            " from them what to explain better.",
        },
        {
            "question": "Which work should stay with people?",
            "answer": "Everything that needs a feeling for the customer. A complaint, a"
            " gift, a regular guest who is angry: take these yourself. The agent can"
            " bring you the history of the orders in a moment.",
        },
    ],
    "facts": [
        {
            "claim": "Digiton runs 7 agents for one shop in Lisbon.",
            "source_id": "f1",
        },
        {
            "claim": "Digiton checks every claim of an agent before a person sees it.",
            "source_id": "f2",
        },
    ],
}

STOCK: dict[str, Any] = {
    "title": "Stock forecasting that a bakery can trust",
    "meta": "How a bakery forecasts its stock from its own till, the weather and the"
    " calendar, and why a plain rule often beats a clever model.",
    "slug": "stock-forecasting-bakery",
    "intro": "Stock forecasting has a simple aim: bake what will be sold, and little"
    " more. A bakery does not need a data team to come closer to it. The till knows"
    " most of what matters, and the rest hangs on the wall as a calendar.",
    "sections": [
        {
            "heading": "Your till is the best teacher",
            "text": "Print what was sold on the last few Fridays. Cross out the odd ones,"
            " such as the day of the street party. The middle of what is left is a good"
            " guess for the coming Friday. Bakers did this by heart for ages, and a"
            " spreadsheet does it without getting tired.\n\n"
            "Do the same for each kind of bread. Rye moves slowly and forgives a lot."
            " Croissants do not: what is left at noon goes to the birds. Treat the two"
            " in different ways from the first day.",
        },
        {
            "heading": "Rain, holidays and the school next door",
            "text": "Three things move sales more than any trend. Rain keeps people at"
            " home. Holidays turn a Tuesday into a Sunday. And the school next door"
            " sends hungry children at ten, or nobody when it is closed.\n\n"
            "Put these on a calendar that everybody in the kitchen can see. Whoever"
            " orders flour looks there first. A machine can read the same calendar and"
            " shift its guess, but it cannot know that the choir meets on Thursday"
            " unless somebody wrote it down.",
        },
        {
            "heading": "Waste and empty shelves cost alike",
            "text": "Many owners fear waste and bake too little. An empty shelf is quiet,"
            " so nobody counts it. Ask the people at the counter to make a mark whenever"
            " a guest leaves without what they came for. After a month you will see that"
            " both mistakes cost about the same.\n\n"
            "Then set a goal that you can keep: for instance, sold out of croissants"
            " half an hour before closing. Move the order up or down by a tray until you"
            " are there. It is dull work. It also pays for itself sooner than most"
            " software does.",
        },
    ],
    "faq": [
        {
            "question": "How far back should the data go?",
            "answer": "A year shows the seasons, but the last two months matter most."
            " Shops change, streets change, and people move away. Old numbers are good"
            " for Christmas and for little else.",
        },
        {
            "question": "Is a spreadsheet enough?",
            "answer": "For one bakery, yes. Once you have several ovens and a van, the"
            " sums become too many to check by eye. That is the moment to look at a"
            " program, and not before it.",
        },
        {
            "question": "Who should own the forecast?",
            "answer": "The person who orders the flour. They feel it first when a guess"
            " was wrong, and they can mend it on the same morning. A forecast without"
            " an owner is only a picture.",
        },
    ],
    "facts": [],
}

RETURNS: dict[str, Any] = {
    "title": "How a small shop tames its parcels that come back",
    "meta": "Why goods come back to a shop, how to sort them on one morning, and which"
    " small change keeps the next parcel with the customer.",
    "slug": "parcels-that-come-back",
    "intro": "Every shop that sends parcels gets some of them back. Most owners pile"
    " them up in a corner and deal with them when there is time. There never is. A"
    " better way begins with a table, a pencil and half a morning.",
    "sections": [
        {
            "heading": "Open every box within two days",
            "text": "A parcel that lies in a corner ages badly. The shirt goes out of"
            " season, the customer grows impatient, and the money is neither yours nor"
            " theirs. Set aside a fixed hour, put the boxes on a table and open all of"
            " them. What is clean goes back on the shelf at once.\n\n"
            "Write one line for each box: what it was, why it came back, what you did."
            " Keep the reasons short. Too small, not as pictured, came too late, changed"
            " their mind. After a few weeks the lines begin to tell a story.",
        },
        {
            "heading": "Mend the page, not the parcel",
            "text": "If a coat comes back because it runs small, no clerk can help. The"
            " page has to say so. Add a sentence below the picture, in the words that"
            " customers used. Photograph the cloth by a window, without a filter. These"
            " changes cost nothing and work on every later order.\n\n"
            "- Name the size the person in the picture wears.\n"
            "- Show the colour beside something everybody knows.\n"
            "- Say how heavy it is, and how it smells when it is new.\n\n"
            "Look at the list again a month later. A reason that has gone from it was"
            " worth the sentence.",
        },
        {
            "heading": "Let a machine sort, and a person decide",
            "text": "Sorting is dull and a program does it well. It reads the note in the"
            " box, finds the order, and proposes what to do: swap, repair, or send the"
            " money. The owner glances at the proposal and nods. Nobody waits a week for"
            " an answer any more.\n\n"
            "Angry letters are another matter. Read those yourself, on the day they"
            " come. A person who writes a long letter still hopes that you will put it"
            " right. Often a call is enough, and the customer stays for years.",
        },
    ],
    "faq": [
        {
            "question": "Should sending it back be free?",
            "answer": "Try both for a month and compare. In some trades free labels"
            " bring more orders than they cost. In others people order five sizes and"
            " keep one. Your own list knows better than any study does.",
        },
        {
            "question": "What about goods that were worn?",
            "answer": "Decide it once and write it on the page with the sizes. Most"
            " people keep to a clear rule. For the few who do not, a friendly refusal"
            " with a picture of the stain ends the matter.",
        },
        {
            "question": "When is a program worth its price?",
            "answer": "As soon as the boxes no longer fit on the table. Before that a"
            " pencil is quicker. Ask the maker to run it on your own notes from last"
            " month, and see whether you agree with what it proposes.",
        },
    ],
    "facts": [],
}
