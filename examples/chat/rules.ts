/**
 * What the chat lets in: names, rooms and texts. The page loads this very file, so that it can say
 * what is wrong before it asks; therefore nothing is imported here. The service decides.
 */
export const NAME_LENGTH_MAX = 32;
export const ROOM_LENGTH_MAX = 32;
export const TEXT_LENGTH_MAX = 2000;

/**
 * Control characters, lone surrogates, and the marks that turn the writing direction: with one of
 * those in a name, the rest of the line would be read backwards.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
/** A name must show something: a zero-width space is not a name. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
const ROOM = /^[a-z0-9-]{1,32}$/;

export function tidyName(name: string): string {
  return name.normalize("NFC").trim();
}

/** What is wrong with a tidied name, as a sentence for the person who chose it. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "Choose a name first.";
  if (name.length > NAME_LENGTH_MAX) {
    return `That name is too long: ${NAME_LENGTH_MAX} characters at the most.`;
  }
  if (UNPRINTABLE.test(name) || !VISIBLE.test(name)) {
    return "That name has characters in it that cannot be shown.";
  }
  return undefined;
}

export function roomProblem(room: string): string | undefined {
  if (ROOM.test(room)) return undefined;
  return `A room's name has 1 to ${ROOM_LENGTH_MAX} small letters, digits and hyphens.`;
}

export function textProblem(text: string): string | undefined {
  if (text.trim() === "") return "There is nothing in that message.";
  if (text.length > TEXT_LENGTH_MAX) {
    return `That message is too long: ${TEXT_LENGTH_MAX} characters at the most.`;
  }
  return undefined;
}
