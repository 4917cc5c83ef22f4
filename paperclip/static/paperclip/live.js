// Asks for the company's version about once a second. When it moved, htmx fetches this
// page again and swaps the [data-live] parts that differ. Other scripts hear of it by the
// event paperclip:changed.
(() => {
    "use strict";
    const source = document.getElementById("live-source");
    if (!source) return;
    const SHOWN = 700, HIDDEN = 5000;
    // So long a quiet page is good for; a part that knows its answer is coming, less.
    const stale = () => (document.querySelector("[data-soon]") ? 2000 : 10000);
    let version = source.dataset.version;
    // Loaded again, or gone back to, an answer to a button must not press it once more.
    if (source.dataset.here) history.replaceState(null, "", source.dataset.here);
    let refreshed = Date.now();

    const parts = () => [...document.querySelectorAll("[data-live][id]")];

    function refresh() {
        refreshed = Date.now();
        source.setAttribute("hx-select-oob", parts().map((p) => "#" + p.id).join(","));
        htmx.trigger(source, "live");
    }

    async function ask() {
        const headers = version ? { "If-None-Match": `"${version}"` } : {};
        const answer = await fetch(source.dataset.url, { headers, cache: "no-store" });
        if (answer.status === 403 || answer.status === 404) return location.reload();
        if (!answer.ok && answer.status !== 304) throw new Error(answer.status);
        document.getElementById("live-lost").hidden = true;
        if (answer.status === 200) {
            version = await answer.text();
            refresh();
            document.dispatchEvent(new Event("paperclip:changed"));
        } else if (Date.now() - refreshed > stale() && !document.hidden) {
            refresh(); // "3 minutes ago" grows old by itself
        }
    }

    async function tick() {
        try {
            await ask();
        } catch {
            document.getElementById("live-lost").hidden = false;
        }
        setTimeout(tick, document.hidden ? HIDDEN : SHOWN);
    }

    // --- what a swap must not take away ----------------------------------------------

    const typed = (part) => [...part.querySelectorAll("input, textarea, select")].some(
        (e) => e === document.activeElement || (e.options
            ? [...e.options].some((o) => o.selected !== o.defaultSelected)
            : e.type !== "hidden" && (e.value !== e.defaultValue || e.checked !== e.defaultChecked)));

    // What the server sent last: the page itself may carry marks of other scripts.
    const sent = new Map(parts().map((p) => [p.id, null]));

    document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
        const { target, fragment } = event.detail;
        const fresh = fragment.firstElementChild;
        if (!fresh) return;
        const text = fresh.outerHTML;
        const dragged = document.body.classList.contains("sorting");
        if (sent.get(target.id) === text || dragged || typed(target)) {
            event.detail.shouldSwap = false;
            return;
        }
        sent.set(target.id, text);
        for (const open of target.querySelectorAll("details[open][id]")) {
            fresh.querySelector("#" + CSS.escape(open.id))?.setAttribute("open", "");
        }
    });

    // A click must not fall between two copies of a button.
    document.body.addEventListener("htmx:beforeRequest", (event) => {
        if (event.detail.elt === source && document.querySelector("[data-live] button:active")) {
            event.preventDefault();
        }
    });

    // --- forms -----------------------------------------------------------------------

    document.addEventListener("submit", (event) => {
        if (event.defaultPrevented) return;
        if (event.target.dataset.sent) return event.preventDefault();
        event.target.dataset.sent = "1"; // a double click is one act
    });
    window.addEventListener("pageshow", () => {
        document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent);
    });

    setTimeout(tick, version ? SHOWN : 0);
    document.addEventListener("visibilitychange", () => document.hidden || ask().catch(() => {}));
})();
