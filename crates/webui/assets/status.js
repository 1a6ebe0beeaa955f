// Keeps the table of the status page up to date, runs its buttons without leaving it, and filters by name.

import { ask, parsed, plain, watch } from "./watch.js";

const form = document.getElementById("processes");
const message = document.getElementById("message");
const summary = document.getElementById("summary");
const filter = document.getElementById("filter");

const rows = (page) => [...page.querySelectorAll("tr[data-name]")];

/** Descriptions change all the time and are set in place; anything else takes the rows of a new page. */
async function look() {
  const status = JSON.parse(await ask("status.json"));
  const here = rows(document);
  const same =
    here.length === status.processes.length &&
    status.processes.every(
      ({ name, state }, at) => here[at].dataset.name === name && here[at].dataset.state === state,
    );
  if (!same) await replace();
  else status.processes.forEach(({ description }, at) => setText(here[at].querySelector(".desc"), description));
  setText(summary, status.summary);
}

async function replace() {
  const page = parsed(await ask("index.html"));
  const here = rows(document);
  const there = rows(page);
  const names = (list) => list.map((row) => row.dataset.name).join("\n");
  if (here.length > 0 && names(here) === names(there)) here.forEach((row, at) => update(row, there[at]));
  else form.replaceChildren(...page.getElementById("processes").childNodes);
  show();
}

/** Only what differs is touched: a button that is about to be pressed stays under the finger. */
function update(row, fresh) {
  row.dataset.state = fresh.dataset.state;
  [...row.cells].forEach((cell, at) => {
    const other = fresh.cells[at];
    if (cell.innerHTML !== other.innerHTML) cell.replaceChildren(...other.childNodes);
  });
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tell(text, good) {
  message.hidden = false;
  message.classList.toggle("error", !good);
  message.textContent = text;
}

/** Shows the rows whose name holds what is written in the field. */
function show() {
  const wanted = filter.value.trim().toLowerCase();
  for (const row of rows(document)) row.hidden = !row.dataset.name.toLowerCase().includes(wanted);
}

/** A refusal comes as a page: what it says is the message. */
async function outcome(answer) {
  if (answer.ok) return answer.json();
  const paragraphs = [...parsed(await answer.text()).querySelectorAll("p:not(:has(a))")];
  return { message: paragraphs.map((paragraph) => paragraph.textContent.trim()).join(" "), good: false };
}

async function press(button) {
  if (button.dataset.confirm && !confirm(button.dataset.confirm)) return;
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    // No limit of time: a process may take as long as it may to stop.
    const answer = await fetch(plain(button.formAction), { method: "POST", headers: { Accept: "application/json" } });
    const { message: text, good } = await outcome(answer);
    tell(text, good);
  } catch {
    tell(document.getElementById("offline").textContent, false);
  }
  button.ariaBusy = null;
  await now();
}

const now = watch(look);

form.addEventListener("submit", (event) => {
  if (!event.submitter) return;
  event.preventDefault();
  press(event.submitter);
});

filter.hidden = false;
filter.addEventListener("input", show);
show();
