// The page of a run: its log, or its transcript, grows at the end while one looks.
(() => {
    "use strict";
    const RETRY = 2000;
    const box = document.querySelector("[data-follow]");
    if (!box) return;
    const note = document.getElementById("log-note");
    const adds = { log: addLines, talk: addEntries };
    let busy = false, again = false;

    async function follow() {
        if (busy) { again = true; return; }
        if (box.dataset.offset === "") return;
        busy = true;
        try {
            for (let more = true; more; ) {
                const answer = await fetch(`${box.dataset.follow}?offset=${box.dataset.offset}`);
                if (!answer.ok) throw new Error(answer.status);
                const found = await answer.json();
                adds[box.dataset.kind](found);
                const next = found.next ?? "";
                more = next !== "" && String(next) !== box.dataset.offset;
                box.dataset.offset = next;
            }
        } catch {
            setTimeout(follow, RETRY);
        } finally {
            busy = false;
            if (again) { again = false; follow(); }
        }
    }

    // What scrolls: a log in its box, a transcript with the page.
    const scroller = () => box.dataset.kind === "log" ? box : document.documentElement;

    function append(added) {
        if (!added.childNodes.length) return;
        note.hidden = true;
        const pane = scroller();
        const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 60;
        const first = !box.childElementCount && box.dataset.kind === "talk";
        box.append(added);
        if (atEnd && !first) pane.scrollTop = pane.scrollHeight;
    }

    function addLines({ lines }) {
        const added = document.createDocumentFragment();
        for (const { stream, chunk } of lines) {
            const span = document.createElement("span");
            span.className = stream;
            span.textContent = chunk; // text, whatever it looks like
            added.append(span);
        }
        append(added);
    }

    function addEntries({ html }) {
        const fresh = document.createElement("template");
        fresh.innerHTML = html; // our server's, which escapes what the agent wrote
        if (fresh.content.childElementCount) append(fresh.content);
        box.querySelectorAll("[data-result]").forEach(settle);
    }

    // A result goes into the call it answers.
    function settle(result) {
        const id = CSS.escape(result.dataset.result);
        const calls = [...box.querySelectorAll(`[data-call="${id}"]`)];
        const call = calls.reverse().find((each) => !each.dataset.settled);
        if (!call) return;
        const isBad = result.classList.contains("bad");
        call.querySelector(".outcome").textContent = result.dataset.said.trim();
        call.classList.toggle("bad", isBad);
        call.dataset.settled = "1";
        call.append(result);
        delete result.dataset.result;
    }

    follow();
    document.addEventListener("paperclip:changed", follow);
})();
