// Keeps a page as the cluster is: when something changes it asks for the page again and takes over what it shows.
// Without it the page works too, and shows what was when it was loaded.

const TYPING_MS = 200;
const connection = document.getElementById("connection");
let running = false;
let again = false;

function tell(text, bad) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.className = bad ? "bad" : "";
}

// What is open and what has the focus stays so.
function replaceBy(next) {
  const now = document.getElementById("live");
  const focused = document.activeElement;
  const link = now.contains(focused) ? focused.getAttribute("href") : null;
  const id = now.contains(focused) ? focused.id : "";
  now.replaceWith(document.adoptNode(next));
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  const found = id ? document.getElementById(id) : link && document.querySelector(`#live a[href="${CSS.escape(link)}"]`);
  if (found) found.focus({ preventScroll: true });
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
        tell("Not open any more: start kubectl apiclient dashboard again", true);
        continue;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const next = page.getElementById("live");
      if (next) replaceBy(next);
    } catch {
      tell("No connection: this is what was last known", true);
    }
  } while (again);
  running = false;
}

function follow() {
  const events = new EventSource("/live");
  events.addEventListener("change", (event) => {
    tell("live", false);
    if (document.getElementById("live").dataset.revision !== event.data) refresh();
  });
  events.addEventListener("beat", refresh);
  events.addEventListener("error", () => tell("No connection: this is what was last known", true));
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
// What somebody is about to copy stays as it is.
if (document.getElementById("live").dataset.still === undefined) follow();
