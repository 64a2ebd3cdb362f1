// Keeps a page up to date: on each change it fetches the page again and replaces the content.
// Without JavaScript the page works, and shows the state when it was loaded.

const TYPING_MS = 200;
const COPIED_MS = 2000;
const RETRY_MS = 5000;
// The least pause between two refreshes, and how often longer than the last one took.
const PAUSE_MS = 300;
const PAUSE_FACTOR = 5;
const LOST = "Disconnected: showing the last known state";
const connection = document.getElementById("connection");
// Announces to screen readers; the text is visible where it comes from.
const status = document.createElement("p");
status.className = "announced";
status.setAttribute("role", "status");
document.body.append(status);
let running = false;
let again = false;
let events = null;
let pending = null;
let endPause = () => {};

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

function isSelecting() {
  const selection = document.getSelection();
  return !selection.isCollapsed && document.getElementById("live").contains(selection.anchorNode);
}

// New content waits until no text is selected.
function show(next) {
  pending = isSelecting() ? next : null;
  if (!pending) replaceBy(next);
  if (events?.readyState === EventSource.OPEN) showLive();
}

function showLive() {
  showConnection(pending ? "Paused while text is selected" : "live", false);
}

document.addEventListener("selectionchange", () => pending && show(pending));

// Details stay open, and focus and scroll positions stay where they are.
const SCROLLING = ".scroll, pre";
function replaceBy(next) {
  const now = document.getElementById("live");
  const open = [...now.querySelectorAll("details[open][id]")].map((details) => details.id);
  const scrolled = [...now.querySelectorAll(SCROLLING)].map((element) => element.scrollLeft);
  const focused = now.contains(document.activeElement) ? selectorOf(document.activeElement) : null;
  now.replaceWith(document.adoptNode(next));
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const kept of open) document.getElementById(kept)?.setAttribute("open", "");
  [...document.querySelectorAll(`#live :is(${SCROLLING})`)].forEach((element, index) => {
    element.scrollLeft = scrolled[index] ?? 0;
  });
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
    const started = performance.now();
    await fetchPage();
    const took = performance.now() - started;
    await new Promise((done) => {
      endPause = done;
      setTimeout(done, Math.max(PAUSE_MS, PAUSE_FACTOR * took));
    });
  } while (again);
  running = false;
}

async function fetchPage() {
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    if (response.status === 401) {
      showConnection("Session ended: run kubectl apiclient dashboard again", true);
      return;
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = page.getElementById("live");
    if (next) show(next);
    else showConnection("This page cannot be refreshed: showing the last known state", true);
  } catch {
    showConnection(LOST, true);
  }
}

// Browsers allow few connections to a host, so only visible pages keep one.
function follow() {
  if (events || document.hidden) return;
  const source = new EventSource("/live");
  events = source;
  source.addEventListener("change", (event) => {
    showLive();
    if (document.getElementById("live").dataset.revision !== event.data) refresh();
  });
  source.addEventListener("beat", refresh);
  source.addEventListener("error", () => {
    showConnection(LOST, true);
    if (source !== events || source.readyState !== EventSource.CLOSED) return;
    events = null;
    refresh(); // finds out whether the session has ended
    setTimeout(follow, RETRY_MS);
  });
}

function unfollow() {
  events?.close();
  events = null;
}

function followWhileVisible() {
  follow();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      unfollow();
    } else {
      follow();
      refresh();
    }
  });
  addEventListener("pagehide", unfollow);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

function search(form) {
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  const path = form.getAttribute("action");
  history.replaceState(null, "", query ? `${path}?${query}` : path);
  refresh();
  endPause(); // a user does not wait
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
  const text = button.closest(".snippet").querySelector("pre").textContent.replace(/\n*$/, "\n"); // as a file ends
  await navigator.clipboard.writeText(text).then(
    () => announce(button, "Copied"),
    () => announce(button, "Copy failed: select the text"),
  );
});

function announce(button, text) {
  button.textContent = text;
  status.textContent = text;
  setTimeout(() => {
    button.textContent = "Copy";
    status.textContent = "";
  }, COPIED_MS);
}

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
// A page with text to copy does not change under the cursor.
if (document.getElementById("live").dataset.still === undefined) followWhileVisible();
