"""Who is who in the world of a rehearsal, and what they write. All of it is made up."""

from __future__ import annotations

from dataclasses import dataclass

from agents.rehearsal.drafts import FACTS

SITE_NAME = "Digiton"
# What the first post is about, and nobody else's to decide: the founder wants it.
FIRST = "AI agents for small shops"
# Shown often by Search Console, and not quite at the top.
ALMOST = "marketing agency for small shops"
NOWHERE = ("lisbon seo prices", "email subject lines", "cafe newsletter ideas")
KEYWORDS = (
    *(ALMOST, "shop assistant chatbot", "answer customer emails", *NOWHERE),
    *("local search for cafes", "opening hours on maps", "shop photos that sell"),
    *("product page checklist", "weekend opening ideas", "customer review replies"),
    *("delivery question answers", "gift voucher page", "bakery website example"),
    *("florist online orders", "bookshop blog ideas", "small shop website cost"),
    *("order book software", "christmas shop hours", "shop window poster"),
    *("loyalty card ideas", "neighbourhood marketing"),
)
TOPICS = ("AI agents for retail", "inventory forecasting", "small shops")
FACTS_OF_US = (
    *FACTS,
    {
        "id": "f3",
        "text": "Digiton writes down what each piece of work of its agents has cost.",
        "source_url": "",
    },
)
PAGES = {
    "index": (
        "Digiton",
        "Marketing for small shops that can be checked.",
        "Digiton looks after the marketing of small shops. Agents do the daily work and"
        " people decide what leaves the house.\n\nWhat we do is written down, day by"
        " day, and whoever pays for it may read it. Ask for the log of last week and"
        " you will have it by the evening.",
    ),
    "services": (
        "What we do for shops",
        "Search, newsletters and reviews for small shops, by agents and people.",
        "We find the questions that customers ask before they come. We answer them on"
        " pages of their own, keep the opening hours right everywhere, and reply to"
        " reviews within a day.\n\nNewsletters go out once a month, to those who asked"
        " for them. Nothing is bought: neither links, nor followers, nor praise.",
    ),
    "about": (
        "Who we are and where",
        "A handful of people in Lisbon, with agents that do the daily work.",
        "We are a handful of people in a house near the river. One of us was a baker,"
        " one ran a bookshop, and the others came from agencies where nobody could say"
        " what the work was worth.\n\nThe agents are new. They are quick and they err,"
        " so everything they claim is looked at before it counts.",
    ),
}


@dataclass(frozen=True)
class Outlet:
    """A paper with one recent piece. `asks`: a person approves each mail to them."""

    slug: str
    name: str
    editor: str
    category: str
    language: str
    title: str
    text: str
    country: str = "PT"

    @property
    def email(self) -> str:
        return f"desk@{self.slug}.example"


OUTLETS = (
    Outlet(
        "gazeta-do-balcao", "Gazeta do Balcão", "Rita Moreira", "pt_tech", "pt",
        "As lojas de bairro aprendem a delegar",
        "As lojas de bairro entregam cada vez mais trabalho miúdo a programas. Uma"
        " florista de Alfama deixa que as mensagens sobre horários sejam respondidas"
        " sem ela, e lê tudo à noite. O padeiro da esquina desconfia, mas pede contas"
        " todas as semanas. Quem começou há um ano fala menos de magia e mais de"
        " rotinas, de erros e de tempo ganho ao fim do dia.",
    ),
    Outlet(
        "caderno-digital", "Caderno Digital", "Tomás Leal", "pt_tech", "pt",
        "Quem confere o que as máquinas escrevem",
        "Os textos feitos por máquinas precisam de alguém que os confira antes de"
        " saírem. Falámos com três donos de negócios que guardam cada versão e sabem"
        " dizer quem aprovou o quê. Nenhum deles confia num relatório que não se possa"
        " abrir. O método é antigo, dizem, e vem da contabilidade: assinar por baixo e"
        " guardar o papel durante anos.",
    ),
    Outlet(
        "market-street", "Market Street Review", "Ines Krüger", "eu", "en",
        "Small retailers count the hours again",
        "Small retailers across the continent have begun to count the hours that go"
        " into answering the same message. A hardware shop in Ghent keeps a tally on"
        " the wall. A cheese seller in Lyon hired a nephew and then a program, and kept"
        " the nephew. What unites them is a notebook in which every promise of a vendor"
        " is written down and held against the month that followed.",
        country="IE",
    ),
    Outlet(
        "ledger-and-loom", "Ledger & Loom", "Oskar Lind", "eu", "en",
        "Trust is a paper trail",
        "Trust in automated work grows with the paper trail behind it, say the people"
        " who audit it for a living. They ask for drafts, signatures and dates. They"
        " smile at dashboards. In a workshop in Malmö the apprentices learn to read"
        " logs before they learn to write prompts, and the owner swears that nothing"
        " else has ever saved her so many quarrels.",
        country="IE",
    ),
    Outlet(
        "agent-weekly", "Agent Weekly", "Maya Tran", "ai", "en",
        "Agents leave the laboratory by the back door",
        "Agents leave the laboratory by the back door, where the deliveries are made."
        " The newest examples are dull on purpose: sorting returns, chasing invoices,"
        " updating a menu. Researchers call it boring and shopkeepers call it lunch."
        " The open question is who notices when one of them is wrong, and how long it"
        " takes until somebody can prove it.",
        country="IE",
    ),
    Outlet(
        "model-and-measure", "Model & Measure", "Sam Okoro", "ai", "en",
        "What a benchmark does not see",
        "A benchmark does not see the customer who waits at the counter. We followed a"
        " team that measured its assistant in weeks without complaints and threw the"
        " leader boards away. Their spreadsheet has a column for regrets. It is the"
        " only column that everybody reads, and it has changed what they buy, what they"
        " switch off and whom they believe.",
        country="IE",
    ),
    Outlet(
        "agencia-ribeira", "Agência Ribeira", "Clara Pinto", "agency", "pt",
        "O que os clientes passaram a perguntar",
        "Os clientes perguntam hoje quem fez o trabalho e quanto custou cada peça. Há"
        " dois anos bastava mostrar o resultado. Agora querem ver o caminho, com datas"
        " e nomes, e alguns trazem consigo uma lista de perguntas. Respondemos com um"
        " dossiê aberto, e as reuniões ficaram mais curtas e mais honestas.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Register:
    """A directory. Where we are `listed` already it has a page about us."""

    slug: str
    name: str
    fit: float
    listed: bool = False


REGISTERS = (
    Register("lisbon-makers", "Lisbon Makers", 0.9, listed=True),
    Register("shop-helpers", "Shop Helpers", 0.7),
)
LINKER = Outlet(
    "corner-library", "The Corner Library", "Nora Blum", "link", "en",
    "Reading for people who run a shop",
    "This list gathers what people who run a shop have found useful. There are pieces"
    " about till rolls and pieces about grief. We add a page when three readers have"
    " recommended it, and we remove it when it begins to sell something. Suggestions"
    " are read on Sundays, slowly, with tea, by the two of us who keep the library.",
    country="IE",
)  # fmt: skip
