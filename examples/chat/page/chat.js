/**
 * The page: the form to come in by, the connection, and what is said over it. How messages look
 * is conversation-view.js, how the connection comes back is connection.js.
 */
import { Connection } from "./connection.js";
import { ConversationView, showPeople } from "./conversation-view.js";
import { nameProblem, roomProblem, TEXT_LENGTH_MAX, textProblem, tidyName } from "./rules.js";

const byId = (id) => document.getElementById(id);
const view = new ConversationView({
  log: byId("log"),
  scroller: byId("scroller"),
  newer: byId("newer"),
});

const TYPING_EVERY_MS = 2500;
const TYPING_SHOWN_MS = 4000;

/** Where we are: undefined at the entry. */
let place;
/** Written here and not yet accepted by the service: id to text, in order. */
const unsent = new Map();
/** Names and when to stop showing that they type. */
const typing = new Map();
let typingSentAtMs = 0;
let unread = 0;

// Coming in.

byId("entry-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = tidyName(byId("name").value);
  const room = byId("room").value.trim() || "lobby";
  const isNameGood = showProblem("name", nameProblem(name));
  const isRoomGood = showProblem("room", roomProblem(room));
  if (isNameGood && isRoomGood) join(name, room);
  else byId(isNameGood ? "room" : "name").focus();
});

byId("room").addEventListener("input", ({ target }) => {
  target.value = target.value.toLowerCase().replace(/[\s_]+/g, "-");
});

function showProblem(field, problem) {
  byId(`${field}-problem`).textContent = problem ?? "";
  byId(field).setAttribute("aria-invalid", String(problem !== undefined));
  return problem === undefined;
}

async function join(name, room) {
  byId("entry-problem").textContent = "";
  let settings;
  try {
    settings = await (await fetch("/settings.json")).json();
  } catch {
    showEntry("The chat service does not answer. Is it running?");
    return;
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const gateway = `${scheme}//${location.hostname}:${settings.gatewayPort}`;
  // Who joins the same room again still wants to say what could not be said before.
  if (place?.name !== name || place.room !== room) unsent.clear();
  place = { name, room, log: undefined, version: -1, isWelcome: false };
  view.clear(name);
  for (const [id, words] of unsent) view.showPending(id, words, "Waiting for the connection");
  typing.clear();
  remember(name, room);
  showChat();
  place.connection = new Connection({
    url: `${gateway}/chat/${room}?name=${encodeURIComponent(name)}`,
    onState: showState,
    onMessage: (content) => receive(read(content)),
    mayEnter: async () => (await fetch(`/rooms/${room}/names/${encodeURIComponent(name)}`)).json(),
  });
}

function showEntry(problem) {
  document.title = "Chat";
  byId("entry").hidden = false;
  byId("chat").hidden = true;
  byId("entry-problem").textContent = problem ?? "";
  byId("name").focus();
}

function showChat() {
  const { room } = place;
  byId("entry").hidden = true;
  byId("chat").hidden = false;
  byId("room-title").textContent = room;
  showPeopleHere([]);
  showTitle();
  location.hash = room;
  byId("text").focus();
}

byId("leave").addEventListener("click", () => leave());

function leave(problem) {
  place?.connection?.close();
  place = undefined;
  unsent.clear();
  sessionStorage.removeItem("room");
  showEntry(problem);
}

// What the service says.

/** What the service did not send, somebody pushed by hand: it is shown as it is. */
function read(content) {
  if (typeof content !== "string") return { type: "notice", text: `${content.size} bytes` };
  try {
    const message = JSON.parse(content);
    if (typeof message?.type === "string") return message;
  } catch {
    // No JSON: plain text.
  }
  return { type: "notice", text: content };
}

function receive(message) {
  if (message.log !== undefined && message.log !== place.log) {
    // The service started anew: its numbers and versions begin again.
    place.log = message.log;
    place.version = -1;
    view.beginLog();
  }
  switch (message.type) {
    case "welcome":
      return welcome(message);
    case "message":
      typing.delete(message.message.name);
      showTyping();
      // From another window of this person, or from here before the connection broke.
      if (message.message.name === place.name) unsent.delete(message.message.id);
      view.show(message.message);
      if (document.hidden) unread += 1;
      return showTitle();
    case "accepted":
      unsent.delete(message.message.id);
      return view.show(message.message);
    case "refused":
      unsent.delete(message.id);
      return view.refuse(message.id, message.reason);
    case "people":
      return updatePeople(message);
    case "notice":
      return view.line(message.text);
    case "typing":
      if (message.name !== place.name) typing.set(message.name, Date.now() + TYPING_SHOWN_MS);
      return showTyping();
  }
}

/** Comes once for each connection: the room as it is, into which what is unsent goes after. */
function welcome(message) {
  for (const said of message.messages) if (said.name === place.name) unsent.delete(said.id);
  view.showAll(message.messages);
  updatePeople(message);
  place.isWelcome = true;
  for (const [id, text] of unsent) place.connection.send({ type: "say", id, text });
}

function updatePeople({ version, people, joined, left }) {
  if (joined !== undefined && joined !== place.name) view.line(`${joined} joined`);
  if (left !== undefined && left !== place.name) view.line(`${left} left`);
  // Two pushes may overtake one another: the newer list stands.
  if (version < place.version) return;
  place.version = version;
  showPeopleHere(people);
  for (const name of typing.keys()) {
    if (!people.some((person) => person.name === name)) typing.delete(name);
  }
  showTyping();
}

function showPeopleHere(people) {
  byId("people-count").textContent = people.length === 0 ? "" : String(people.length);
  showPeople(byId("people"), people, place.name);
}

function showTyping() {
  for (const [name, untilMs] of typing) if (untilMs <= Date.now()) typing.delete(name);
  const names = [...typing.keys()];
  let sentence = "";
  if (names.length === 1) sentence = `${names[0]} is typing`;
  if (names.length === 2) sentence = `${names[0]} and ${names[1]} are typing`;
  if (names.length > 2) sentence = "Several people are typing";
  byId("typing").textContent = sentence;
}

// What is said here.

const text = byId("text");
const isTouch = matchMedia("(pointer: coarse)").matches;

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});

text.addEventListener("keydown", (event) => {
  // On a phone, Enter makes a new line and the button sends.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || isTouch) return;
  event.preventDefault();
  say();
});

text.addEventListener("input", () => {
  fitText();
  if (text.value === "" || !place.isWelcome) return;
  if (Date.now() - typingSentAtMs < TYPING_EVERY_MS) return;
  typingSentAtMs = Date.now();
  place.connection.send({ type: "typing" });
});

function say() {
  const words = text.value.trim();
  if (textProblem(words) !== undefined) return;
  const id = makeId();
  unsent.set(id, words);
  const isSent = place.isWelcome && place.connection.send({ type: "say", id, text: words });
  view.showPending(id, words, isSent ? "Sending" : "Waiting for the connection");
  text.value = "";
  typingSentAtMs = 0;
  fitText();
  text.focus();
}

/** crypto.randomUUID is there only on https and localhost; a phone on the same network has http. */
function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fitText() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  const left = TEXT_LENGTH_MAX - text.value.length;
  byId("counter").textContent = left <= 200 ? String(left) : "";
}

// The connection's state.

function showState(state) {
  if (state.name === "closed" && state.code === 0) return leave(state.meaning);
  if (state.name !== "live") {
    place.isWelcome = false;
    typing.clear();
    showTyping();
  }
  place.state = state;
  byId("chat").dataset.state = state.name;
  const isTrouble = state.name === "reconnecting" || state.name === "closed";
  const isRetrying = state.name === "connecting" && !state.isFirst;
  byId("notice").hidden = !isTrouble && !isRetrying;
  if (isTrouble) byId("notice-text").textContent = state.meaning;
  byId("notice-action").textContent = state.name === "closed" ? "Join again" : "Try now";
  byId("notice-action").hidden = !isTrouble;
  view.markPending(state.name === "live" ? "Sending" : "Waiting for the connection");
  showClock();
}

const words = { connecting: "Connecting", live: "Live", closed: "Closed" };

/** What changes by the second. */
function showClock() {
  const { state } = place;
  let short = words[state.name];
  let countdown = "";
  if (state.name === "reconnecting") {
    short = "Reconnecting";
    const seconds = Math.max(1, Math.ceil((state.atMs - Date.now()) / 1000));
    countdown = `Reconnecting in ${seconds} s`;
  } else if (state.name === "connecting" && !state.isFirst) {
    short = "Reconnecting";
    countdown = "Reconnecting now";
  }
  byId("status-text").textContent = short;
  byId("countdown").textContent = countdown;
}

setInterval(() => {
  if (place?.state === undefined) return;
  if (place.state.name === "reconnecting") showClock();
  if (typing.size > 0) showTyping();
}, 250);

byId("notice-action").addEventListener("click", () => {
  if (place.state.name === "closed") join(place.name, place.room);
  else place.connection.retryNow();
});

addEventListener("online", () => place?.connection?.retryNow());

// The window.

function showTitle() {
  if (place === undefined) return;
  document.title = `${unread > 0 ? `(${unread}) ` : ""}#${place.room} · Chat`;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
});

/** A reload comes back to the same room; a new window begins at the form, filled in. */
function remember(name, room) {
  localStorage.setItem("name", name);
  sessionStorage.setItem("name", name);
  sessionStorage.setItem("room", room);
}

const hashRoom = location.hash.slice(1);
const lastRoom = sessionStorage.getItem("room");
byId("name").value = sessionStorage.getItem("name") ?? localStorage.getItem("name") ?? "";
byId("room").value = hashRoom || lastRoom || "lobby";
if (lastRoom !== null && (hashRoom === "" || hashRoom === lastRoom)) {
  join(byId("name").value, lastRoom);
} else {
  byId("name").focus();
}
