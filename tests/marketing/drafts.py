"""Posts as a model would write them: two good ones about different things."""

# ruff: noqa: E501 (prose)
from __future__ import annotations

from copy import deepcopy
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


def with_links(document: dict[str, Any], *ids: Any) -> dict[str, Any]:
    """The same with a link to each of these posts."""
    found = deepcopy(document)
    for number, pk in enumerate(ids):
        place = found["sections"][number % len(found["sections"])]
        place["text"] += f" There is more in [an earlier post of ours](post:{pk})."
    return found


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return deepcopy(document) | fields


def unsafe(document: dict[str, Any]) -> dict[str, Any]:
    """The same with what no page may have in it."""
    found = deepcopy(document)
    found["sections"][0]["text"] += (
        " <script>fetch('//evil.example')</script> [Click](javascript:alert(1))"
        " and [this](https://evil.example/)."
    )
    return found
