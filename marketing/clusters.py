"""Keywords that one page answers: groups by the words and the letters they share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

from marketing.words import stems, words

# Two groups whose members are on average further apart (1 - cosine) stay two.
DISTANCE = 0.6
# A cluster is the same one while so much of it is still together.
OVERLAP = 0.5

# Words that people search with and do not search for, in English and Portuguese.
_EMPTY = (
    "a an and are best can do does for how in is it much of on or the to what which who"
    " why with your as com como de da das do dos e em na no o os ou para por qual"
    " quanto que um uma"
)
EMPTY = frozenset(_EMPTY.split())

Key = TypeVar("Key", bound=Hashable)


def vectors(texts: Sequence[str], language: str) -> Any:
    """One row of length 1 for each text: half of it the words (stems, one or two in a
    row), half the letters (three to five in a row)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union
    from sklearn.preprocessing import normalize

    both = make_union(
        TfidfVectorizer(tokenizer=str.split, token_pattern=None, ngram_range=(1, 2)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)),
    )
    return normalize(both.fit_transform([plain(text, language) for text in texts]))


def plain(text: str, language: str) -> str:
    """The stems of the words that matter, in order; never empty."""
    told = [word for word in words(text) if word not in EMPTY]
    return " ".join(stems(" ".join(told) or text, language)) or "-"


def grouped(texts: Sequence[str], language: str = "en") -> list[list[int]]:
    """The places of the texts, group by group; the same texts in another order are the
    same groups."""
    if len(texts) < 2:
        return [[n] for n in range(len(texts))]
    from sklearn.cluster import AgglomerativeClustering

    # Ties are decided by the order, so the order is always the same one.
    order = sorted(range(len(texts)), key=lambda n: texts[n])
    rows = vectors([texts[n] for n in order], language)
    # Of rows of length 1 the product is the cosine; the rows themselves are far wider.
    apart = (1.0 - (rows @ rows.T).toarray()).clip(0.0)
    model = AgglomerativeClustering(
        n_clusters=None,
        metric="precomputed",
        linkage="average",
        distance_threshold=DISTANCE,
    )
    groups: dict[int, list[int]] = {}
    for place, label in zip(order, model.fit_predict(apart), strict=True):
        groups.setdefault(int(label), []).append(place)
    return [sorted(group) for group in groups.values()]


def nearest(
    text: str, others: Sequence[str], language: str = "en"
) -> tuple[int, float]:
    """Which of the others is closest, and how close (cosine, 0 to 1); (-1, 0) when
    there is none."""
    if not others:
        return -1, 0.0
    rows = vectors([text, *others], language)
    found = (rows[1:] @ rows[0].T).toarray().ravel()
    best = int(found.argmax())
    return best, float(found[best])


def same_as_before(
    groups: Sequence[set[Any]], before: Mapping[Key, set[Any]]
) -> dict[int, Key]:
    """Which old group each new one is: that of which it holds at least half of the
    members, the largest share first. Each old one is given once."""
    shares = []
    for n, group in enumerate(groups):
        for key, members in before.items():
            common = len(group & members)
            if members and common / len(members) >= OVERLAP:
                shares.append((common / len(members), common, n, key))
    shares.sort(key=lambda one: (-one[0], -one[1], one[2], str(one[3])))
    found: dict[int, Key] = {}
    for _share, _common, n, key in shares:
        if n not in found and key not in found.values():
            found[n] = key
    return found
