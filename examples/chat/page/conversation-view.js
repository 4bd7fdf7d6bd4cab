/**
 * Draws the messages, the lines of who came and went, and the list of people. Every text goes in
 * as textContent. It decides nothing and sends nothing.
 */
const GROUP_MS = 5 * 60_000;
/** Older rows go, so that a window that stays open for weeks stays quick. */
const ROWS_MAX = 1000;
/** Less than this from the end counts as reading the newest. */
const NEAR_END_PX = 80;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Far enough apart to be told apart, and without the muddy ones between orange and green. */
const HUES = [10, 32, 54, 140, 162, 186, 210, 234, 256, 276, 296, 316, 338];

/** The same name has the same colour everywhere. */
function hueOf(name) {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
  return HUES[((hash ^ (hash >>> 15)) >>> 0) % HUES.length];
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function avatar(name) {
  const [first] = graphemes.segment(name);
  const made = element("span", "avatar", first.segment.toLocaleUpperCase());
  made.setAttribute("aria-hidden", "true");
  return made;
}

export class ConversationView {
  #log;
  #scroller;
  #newer;
  #me = "";
  /** By number, and what is not yet accepted by its id. */
  #said = new Map();
  #pending = new Map();

  constructor({ log, scroller, newer }) {
    this.#log = log;
    this.#scroller = scroller;
    this.#newer = newer;
    newer.addEventListener("click", () => this.scrollToEnd());
    scroller.addEventListener("scroll", () => {
      if (this.#isAtEnd()) newer.hidden = true;
    });
    // Reachable by keyboard, so that the arrow keys scroll it in every browser.
    scroller.tabIndex = 0;
    // A phone's keyboard, a longer draft: the newest message stays in sight if it was.
    let wasAtEnd = true;
    scroller.addEventListener("scroll", () => {
      wasAtEnd = this.#isAtEnd();
    });
    new ResizeObserver(() => {
      if (wasAtEnd) this.scrollToEnd();
    }).observe(scroller);
  }

  clear(me) {
    this.#me = me;
    this.#said.clear();
    this.#pending.clear();
    this.#log.replaceChildren();
    this.#newer.hidden = true;
  }

  /** Numbers begin anew: what is shown stays, above all that comes. */
  beginLog() {
    for (const row of this.#said.values()) delete row.dataset.number;
    this.#said.clear();
  }

  /** The messages that a room already has; `render` calls are not read aloud one by one. */
  showAll(messages) {
    this.#log.setAttribute("aria-busy", "true");
    for (const message of messages) this.show(message);
    this.#log.setAttribute("aria-busy", "false");
    this.scrollToEnd();
  }

  /** Shows a message once, in the place of its number, however often it comes. */
  show(message) {
    if (message.name === this.#me) this.#take(message.id);
    if (this.#said.has(message.number)) return;
    const row = this.#row(message.name, message.text, message.atMs);
    row.dataset.number = message.number;
    this.#said.set(message.number, row);
    this.#keepingPlace(message.name === this.#me, () => {
      const before = this.#placeOf(message.number);
      this.#log.insertBefore(row, before);
      this.#arrange(row);
      if (before !== null) this.#arrange(before);
    });
  }

  /** Shows what was written here and is not accepted yet. */
  showPending(id, text, mark) {
    const row = this.#row(this.#me, text, Date.now());
    row.classList.add("pending");
    row.append(element("span", "mark-text", mark));
    this.#pending.set(id, row);
    this.#keepingPlace(true, () => {
      this.#log.append(row);
      this.#arrange(row);
    });
  }

  /** What to say of all that is not accepted yet. */
  markPending(mark) {
    for (const row of this.#pending.values()) row.querySelector(".mark-text").textContent = mark;
  }

  refuse(id, reason) {
    const row = this.#pending.get(id);
    if (row === undefined) return;
    this.#pending.delete(id);
    row.classList.replace("pending", "refused");
    row.querySelector(".mark-text").textContent = `Not sent. ${reason}`;
  }

  line(text) {
    this.#keepingPlace(false, () => {
      this.#log.insertBefore(element("p", "line", text), this.#firstPending());
    });
  }

  scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#newer.hidden = true;
  }

  #take(id) {
    this.#pending.get(id)?.remove();
    this.#pending.delete(id);
  }

  #firstPending() {
    const [first] = this.#pending.values();
    return first ?? null;
  }

  /** The row before which that number belongs. Nearly always the end, so it looks from there. */
  #placeOf(number) {
    let place = this.#firstPending();
    let row = place === null ? this.#log.lastElementChild : place.previousElementSibling;
    while (row !== null) {
      const other = row.dataset.number;
      if (other !== undefined && Number(other) < number) break;
      if (other !== undefined) place = row;
      row = row.previousElementSibling;
    }
    return place;
  }

  #row(name, text, atMs) {
    const row = element("div", name === this.#me ? "message own" : "message");
    row.dataset.name = name;
    row.dataset.atMs = atMs;
    row.style.setProperty("--hue", hueOf(name));
    const bubble = element("div", "bubble");
    const time = element("time", "time", clock.format(atMs));
    time.dateTime = new Date(atMs).toISOString();
    const words = element("p", "text", text);
    words.dir = "auto";
    bubble.append(element("span", "author", name), words, time);
    row.append(avatar(name), bubble);
    return row;
  }

  /** Messages of one author in a row share a name; a new day is written above its first. */
  #arrange(row) {
    if (row.dataset.name === undefined) return;
    const previous = row.previousElementSibling;
    const isAfterMessage = previous !== null && previous.dataset.name !== undefined;
    const day = calendar.format(Number(row.dataset.atMs));
    const isNewDay = isAfterMessage && day !== calendar.format(Number(previous.dataset.atMs));
    if (isNewDay) row.dataset.day = day;
    else delete row.dataset.day;
    const follows =
      isAfterMessage &&
      !isNewDay &&
      previous.dataset.name === row.dataset.name &&
      Number(row.dataset.atMs) - Number(previous.dataset.atMs) < GROUP_MS;
    row.classList.toggle("follows", follows);
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  /** Who reads further up is left there, and told. */
  #keepingPlace(isMine, change) {
    const follow = isMine || this.#isAtEnd();
    change();
    while (this.#log.childElementCount > ROWS_MAX) this.#log.firstElementChild.remove();
    if (follow) this.scrollToEnd();
    else this.#newer.hidden = false;
  }
}

/** `people` as the service lists them: names, with 0 tabs for who is just coming back. */
export function showPeople(list, people, me) {
  const rows = people.map(({ name, tabs }) => {
    const row = element("li", tabs === 0 ? "person away" : "person");
    row.style.setProperty("--hue", hueOf(name));
    const label = element("span", "person-name", name);
    row.append(avatar(name), label);
    if (name === me) row.append(element("span", "note", "you"));
    else if (tabs === 0) row.append(element("span", "note", "reconnecting"));
    if (tabs > 1) {
      const count = element("span", "note", `×${tabs}`);
      count.title = `In ${tabs} windows`;
      row.append(count);
    }
    return row;
  });
  list.replaceChildren(...rows);
}
