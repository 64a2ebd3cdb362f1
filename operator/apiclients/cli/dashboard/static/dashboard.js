// Keeps a page up to date: on each change it fetches the page again and replaces the content.
// Without JavaScript the page works, and shows the state when it was loaded.

const TYPING_MS = 200;
const connection = document.getElementById("connection");
let running = false;
let again = false;

function showConnection(text, bad) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.className = bad ? "bad" : "";
}

// What finds the same element in the new content.
function selectorOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.matches("details[id] > summary")) return `#${CSS.escape(element.parentElement.id)} > summary`;
  if (element.dataset.copy) return `[data-copy="${CSS.escape(element.dataset.copy)}"]`;
  return element.hasAttribute("href") ? `#live a[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
}

// Details stay open, and the focus stays where it is.
function replaceBy(next) {
  const now = document.getElementById("live");
  const open = [...now.querySelectorAll("details[open][id]")].map((details) => details.id);
  const focused = now.contains(document.activeElement) ? selectorOf(document.activeElement) : null;
  now.replaceWith(document.adoptNode(next));
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const kept of open) document.getElementById(kept)?.setAttribute("open", "");
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  do {
    again = false;
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      if (response.status === 401) {
        showConnection("Session ended: run kubectl apiclient dashboard again", true);
        continue;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const next = page.getElementById("live");
      if (next) replaceBy(next);
    } catch {
      showConnection("Disconnected: showing the last known state", true);
    }
  } while (again);
  running = false;
}

function follow() {
  const events = new EventSource("/live");
  events.addEventListener("change", (event) => {
    showConnection("live", false);
    if (document.getElementById("live").dataset.revision !== event.data) refresh();
  });
  events.addEventListener("beat", refresh);
  events.addEventListener("error", () => showConnection("Disconnected: showing the last known state", true));
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

function search(form) {
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  const path = form.getAttribute("action");
  history.replaceState(null, "", query ? `${path}?${query}` : path);
  refresh();
}

const form = document.getElementById("filters");
if (form) {
  let typing;
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_MS, form);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search(form);
  });
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && form && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    form.elements.q.focus();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
// A page with text to copy does not change under the cursor.
if (document.getElementById("live").dataset.still === undefined) follow();
