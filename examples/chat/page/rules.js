/**
 * The service's rules (../rules.ts), so that the page can say what is wrong before it asks. The
 * service decides; a test keeps the two alike.
 */
export const TEXT_LENGTH_MAX = 2000;
const NAME_LENGTH_MAX = 32;
const ROOM_LENGTH_MAX = 32;

const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
const ROOM = /^[a-z0-9-]{1,32}$/;

export function tidyName(name) {
  return name.normalize("NFC").trim();
}

export function nameProblem(name) {
  if (name === "") return "Choose a name first.";
  if (name.length > NAME_LENGTH_MAX) {
    return `That name is too long: ${NAME_LENGTH_MAX} characters at the most.`;
  }
  if (UNPRINTABLE.test(name) || !VISIBLE.test(name)) {
    return "That name has characters in it that cannot be shown.";
  }
  return undefined;
}

export function roomProblem(room) {
  if (ROOM.test(room)) return undefined;
  return `A room's name has 1 to ${ROOM_LENGTH_MAX} small letters, digits and hyphens.`;
}

export function textProblem(text) {
  if (text.trim() === "") return "There is nothing in that message.";
  if (text.length > TEXT_LENGTH_MAX) {
    return `That message is too long: ${TEXT_LENGTH_MAX} characters at the most.`;
  }
  return undefined;
}
