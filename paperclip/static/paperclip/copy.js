// Buttons that copy the text of a field. Without a clipboard (a page that does not come
// by https has none) the text is marked, to be copied by hand.
(() => {
    "use strict";
    const SHOWN = 2000;
    document.addEventListener("click", async (event) => {
        const button = event.target.closest("[data-copy]");
        if (!button) return;
        const field = document.getElementById(button.dataset.copy);
        field.select();
        try {
            await navigator.clipboard.writeText(field.value);
        } catch {
            if (!document.execCommand("copy")) return;
        }
        const label = button.textContent;
        if (label === button.dataset.done) return;
        button.textContent = button.dataset.done;
        setTimeout(() => { button.textContent = label; }, SHOWN);
    });
})();
