// Follows the end of a log: shows what is new, and stays at the end if the reader is there.

import { ask, parsed, watch } from "./watch.js";

const tail = document.getElementById("tail");

async function look() {
  const text = parsed(await ask(location.href)).getElementById("tail").textContent;
  if (text === tail.textContent) return;
  const atEnd = tail.scrollHeight - tail.scrollTop - tail.clientHeight < 8;
  tail.textContent = text;
  if (atEnd) tail.scrollTop = tail.scrollHeight;
}

tail.scrollTop = tail.scrollHeight;
watch(look);
