// The board: a card that was dropped, or moved by its list, goes to the server. A refusal
// brings it back and says why. Dragging itself is Alpine's sort plugin.
(() => {
    "use strict";
    const board = document.getElementById("board");
    if (!board) return;

    // On a phone one column fits: the first that holds a card. A refresh keeps the place.
    const first = board.querySelector(".column:has(.ticket)");
    if (first && matchMedia("(max-width: 640px)").matches) {
        board.scrollLeft = first.offsetLeft - board.firstElementChild.offsetLeft;
    }
    let place = 0;
    document.body.addEventListener("htmx:oobBeforeSwap", ({ detail: { target } }) => {
        if (target.id === "board") place = target.scrollLeft;
    });
    document.body.addEventListener("htmx:oobAfterSwap", ({ detail: { target } }) => {
        if (target.id === "board") document.getElementById("board").scrollLeft = place;
    });

    if (!board.dataset.token) return;
    let from = null; // where the card was before it was picked up

    const column = (status) => document.querySelector(`[data-column="${status}"]`);

    document.addEventListener("pointerdown", (event) => {
        const card = event.target.closest?.(".ticket");
        if (card) from = { card, list: card.parentElement, next: card.nextElementSibling };
    }, true);

    function say(text, kind) {
        const toast = document.getElementById("toast");
        toast.textContent = text;
        toast.className = "toast " + kind;
        toast.hidden = false;
        clearTimeout(say.timer);
        say.timer = setTimeout(() => { toast.hidden = true; }, kind === "bad" ? 8000 : 3000);
    }

    async function send(issue, status) {
        const answer = await fetch(`/issues/${issue}/move`, {
            method: "POST",
            headers: { "X-CSRFToken": document.getElementById("board").dataset.token },
            body: new URLSearchParams({ status }),
        });
        const found = await answer.json().catch(() => ({}));
        if (!answer.ok) throw new Error(found.error || "Nothing was moved: " + answer.status);
        return found;
    }

    // The list shows where the card is, as if the server had said so: what differs from
    // that counts as typed, and is not refreshed.
    function settle(list, value) {
        for (const option of list.options) option.defaultSelected = option.value === value;
        list.value = value;
    }

    async function move(card, status, home) {
        const list = card.querySelector(".mover select");
        const was = home.list.dataset.column;
        if (status === was) return;
        try {
            const { said, status: now } = await send(card.dataset.issue, status);
            if (list) settle(list, now);
            if (now !== status) column(now).prepend(card); // it went on to its reviewer
            say(said, "good");
        } catch (no) {
            const next = home.next?.parentElement === home.list ? home.next : null;
            home.list.insertBefore(card, next);
            if (list) list.value = was;
            say(no.message, "bad");
        }
    }

    document.addEventListener("moved", ({ detail: { key, status } }) => {
        const card = document.getElementById("ticket-" + key);
        if (card && from?.card === card) move(card, status, from);
    });

    document.addEventListener("change", (event) => {
        const list = event.target.closest(".mover select");
        if (!list) return;
        const card = list.closest(".ticket");
        const home = { list: card.parentElement, next: card.nextElementSibling };
        list.blur(); // a part that somebody is in is not refreshed
        column(list.value).prepend(card);
        move(card, list.value, home);
    });
})();
